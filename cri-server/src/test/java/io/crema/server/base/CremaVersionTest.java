package io.crema.server.base;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The version in the source is the build's. */
final class CremaVersionTest {
    @Test
    void theVersionIsTheBuilds() throws IOException {
        Matcher parent =
                Pattern.compile(
                                "<parent>.*?<version>([^<-]+)(?:-SNAPSHOT)?</version>",
                                Pattern.DOTALL)
                        .matcher(Files.readString(Path.of("pom.xml")));

        assertThat(parent.find()).isTrue();
        assertThat(CremaVersion.VERSION).isEqualTo(parent.group(1));
    }
}
