package io.crema.image.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Deadline;
import io.crema.image.ImageException;
import io.crema.image.Images.Credentials;
import io.crema.image.layer.ContentHash;
import io.crema.image.reference.ImageReference;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class NamespacedLoginsTest {
    private static final String CONTENT =
            """
            {"auths": {"mirror.test": {"auth": "bWU6c2VjcmV0"}}}\
            """;

    @TempDir Path directory;

    private Path leave(String namespace, String name) throws IOException {
        return Files.writeString(
                directory.resolve(
                        namespace
                                + "-"
                                + ContentHash.of(name.getBytes(StandardCharsets.UTF_8)).hex()
                                + ".json"),
                CONTENT);
    }

    @Test
    void credentialsAreTakenOnceAndLeaveNothing() throws IOException {
        Path left = leave("team", "example.com/app");
        NamespacedLogins logins = new NamespacedLogins(directory);
        assertThat(logins.take("other", "example.com/app:1")).isEmpty();
        assertThat(logins.take("team", "example.com/other:1")).isEmpty();
        assertThat(logins.take("team", "example.com/app:1")).isEqualTo(CONTENT);
        assertThat(left).doesNotExist();
        assertThat(logins.take("team", "example.com/app:1")).isEmpty();
        try (Stream<Path> files = Files.list(directory.resolve("in-use"))) {
            assertThat(files).isEmpty();
        }
    }

    @Test
    void namesAreCompletedAndNamespacesAreNoPaths() throws IOException {
        leave("team", "docker.io/library/app");
        NamespacedLogins logins = new NamespacedLogins(directory);
        assertThat(logins.take("../team", "app")).isEmpty();
        assertThat(logins.take("", "app")).isEmpty();
        assertThat(logins.take("team", "app@sha256:" + "ab".repeat(32))).isEqualTo(CONTENT);
    }

    @Test
    void theyGoToTheHostTheyNameAlsoWhenItIsAMirror() {
        Logins logins =
                new Logins(Optional.empty(), Map.of("HOME", "/nonexistent"), Optional.empty());
        Credentials given = Credentials.none().withAuthFile("/left/for/a/pull.json", CONTENT);
        ImageReference asked = ImageReference.parse("example.com/app:1");
        for (String host : List.of("mirror.test", "example.com")) {
            Login login =
                    logins.find(
                            asked,
                            ImageReference.parse(host + "/app:1"),
                            given,
                            RegistriesConfiguration.empty(),
                            Deadline.after(Duration.ofSeconds(5)));
            assertThat(login.isAnonymous()).as(host).isEqualTo(host.equals("example.com"));
            assertThat(login.toString()).doesNotContain("secret");
        }
    }

    @Test
    void aBrokenFileIsCalledByItsName() {
        Logins logins =
                new Logins(Optional.empty(), Map.of("HOME", "/nonexistent"), Optional.empty());
        ImageReference asked = ImageReference.parse("example.com/app:1");
        assertThatThrownBy(() ->
                        logins.find(
                                asked,
                                asked,
                                Credentials.none().withAuthFile("/root/my-auth.json", "{"),
                                RegistriesConfiguration.empty(),
                                Deadline.after(Duration.ofSeconds(5))))
                .isInstanceOf(ImageException.class)
                .hasMessageContaining("credentials file /root/my-auth.json is not JSON");
    }
}
