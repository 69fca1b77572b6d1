package io.crema.image.registry;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(30)
final class RegistriesWatchTest {
    @TempDir Path directory;

    @Test
    void changesAreToldAndNothingElse() throws Exception {
        Path file = directory.resolve("registries.conf");
        Path dropIns = directory.resolve("registries.conf.d");
        LinkedBlockingQueue<String> told = new LinkedBlockingQueue<>();
        try (RegistriesWatch watch =
                new RegistriesWatch(
                        file,
                        dropIns,
                        Duration.ofMillis(20),
                        () -> {
                            told.add("changed");
                            throw new IllegalStateException("what is thrown ends nothing");
                        })) {
            assertThat(watch).isNotNull();
            Files.writeString(file, "one");
            assertThat(told.poll(10, TimeUnit.SECONDS)).isNotNull();
            Files.createDirectory(dropIns);
            Files.writeString(dropIns.resolve("10.conf"), "two");
            assertThat(told.poll(10, TimeUnit.SECONDS)).isNotNull();
            Files.writeString(dropIns.resolve("notes.txt"), "three");
            assertThat(told.poll(200, TimeUnit.MILLISECONDS)).isNull();
            Files.delete(file);
            assertThat(told.poll(10, TimeUnit.SECONDS)).isNotNull();
        }
    }
}
