package io.crema.oci.monitor;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;

/** conmon with youki, from the environment variable YOUKI or from PATH. */
@Tag("root")
@Tag("youki")
class YoukiConmonTest extends ConmonMonitorContract {
    @Override
    Path runtimeExecutable() {
        String given = Optional.ofNullable(System.getenv("YOUKI")).orElse("");
        String path = Optional.ofNullable(System.getenv("PATH")).orElse("");
        Stream<String> inPath =
                List.of(path.split(":", -1)).stream().map(directory -> directory + "/youki");
        return Stream.concat(Stream.of(given), inPath)
                .filter(file -> file.startsWith("/"))
                .map(Path::of)
                .filter(Files::isExecutable)
                .findFirst()
                .orElseThrow(() ->
                        new AssertionError(
                                "youki is missing: set YOUKI to its path, or install it"
                                        + " with 'cargo install youki --version 0.7.0"
                                        + " --no-default-features --features v1,v2,systemd'"));
    }
}
