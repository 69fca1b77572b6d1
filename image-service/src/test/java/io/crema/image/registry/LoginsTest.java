package io.crema.image.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Deadline;
import io.crema.image.ImageException;
import io.crema.image.Images.Credentials;
import io.crema.image.reference.ImageReference;
import io.crema.oci.linux.LinuxProcesses.ExitStatus;
import io.crema.oci.process.Commands;
import io.crema.oci.process.Commands.Command;
import io.crema.oci.process.Commands.Outcome;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class LoginsTest {
    private static final Credentials NONE = Credentials.none();

    @TempDir Path home;

    private static Credentials user(String name, String password) {
        return new Credentials(name, password, "", "", "", "");
    }

    private static String auth(String user, String password) {
        return Base64.getEncoder()
                .encodeToString((user + ":" + password).getBytes(StandardCharsets.UTF_8));
    }

    private Map<String, String> environment() {
        return Map.of("HOME", home.toString(), "XDG_RUNTIME_DIR", home + "/run");
    }

    private Login find(Optional<Path> global, String image, Credentials given) {
        ImageReference reference = ImageReference.parse(image);
        return new Logins(global, environment(), Optional.empty())
                .find(
                        reference,
                        reference,
                        given,
                        RegistriesConfiguration.empty(),
                        Deadline.none());
    }

    private Path write(String path, String text) throws IOException {
        Path file = home.resolve(path);
        Files.createDirectories(file.resolveSibling("."));
        return Files.writeString(file, text);
    }

    @ParameterizedTest
    @CsvSource({
        "a.b/x:1, host",
        "a.b/ns/x:1, namespace",
        "a.b/ns/repo:1, repository",
        "a.b/ns/repo/more:1, repository",
        "a.b/nsx/y:1, host",
        "a.b:5000/x:1, ''",
        "c.d/x:1, ''",
        "docker.io/busybox, hub",
        "docker.io/me/x, mine",
        "old.io/x, old",
    })
    void theLongestKeyOfAnAuthFileWins(String image, String user) throws IOException {
        write(
                ".docker/config.json",
                """
                {"auths": {
                  "a.b": {"auth": "%s"},
                  "a.b/ns": {"auth": "%s"},
                  "a.b/ns/repo": {"username": "repository", "password": "p"},
                  "https://index.docker.io/v1/": {"auth": "%s"},
                  "docker.io/me": {"auth": "%s"},
                  "https://old.io/v2/": {"auth": "%s"},
                  "empty.io": {}
                }}
                """
                        .formatted(
                                auth("host", "p"),
                                auth("namespace", "p"),
                                auth("hub", "p"),
                                auth("mine", "p:with:colons"),
                                auth("old", "p")));

        assertThat(find(Optional.empty(), image, NONE).credentials().username()).isEqualTo(user);
    }

    @Test
    void requestThenGlobalThenUsersFiles() throws IOException {
        String file = "{\"auths\":{\"a.b\":{\"auth\":\"%s\"}}}";
        Path global = write("global.json", file.formatted(auth("global", "1")));
        write("run/containers/auth.json", file.formatted(auth("run", "2")));
        write(".config/containers/auth.json", file.formatted(auth("config", "3")));

        assertThat(find(Optional.of(global), "a.b/c", user("me", "0")))
                .isEqualTo(new Login(user("me", "0"), "the request"));
        assertThat(find(Optional.of(global), "a.b/c", NONE))
                .isEqualTo(new Login(user("global", "1"), global.toString()));
        assertThat(find(Optional.empty(), "a.b/c", NONE).credentials()).isEqualTo(user("run", "2"));
        Files.delete(home.resolve("run/containers/auth.json"));
        assertThat(find(Optional.empty(), "a.b/c", NONE).credentials())
                .isEqualTo(user("config", "3"));
        assertThat(find(Optional.of(home.resolve("missing")), "x.y/c", NONE).isAnonymous())
                .isTrue();
    }

    @ParameterizedTest
    @CsvSource({
        "'', true",
        "a.b, true",
        "https://a.b, true",
        "https://a.b/v1/, true",
        "evil.com, false",
        "a.b.evil.com, false",
        "a.b:5000, false",
    })
    void theRequestsCredentialsGoOnlyToTheirServer(String server, boolean sent) {
        Credentials given = new Credentials("me", "secret", "", server, "", "");

        assertThat(find(Optional.empty(), "a.b/c", given).isAnonymous()).isEqualTo(!sent);
    }

    @Test
    void theRequestsCredentialsDoNotGoToAMirror() {
        Login login =
                new Logins(Optional.empty(), environment(), Optional.empty())
                        .find(
                                ImageReference.parse("a.b/c"),
                                ImageReference.parse("mirror.net/c"),
                                user("me", "secret"),
                                RegistriesConfiguration.empty(),
                                Deadline.none());

        assertThat(login.isAnonymous()).isTrue();
    }

    @Test
    void everyFormOfTheRequestsCredentialsIsUnderstood() {
        assertThat(
                        find(
                                        Optional.empty(),
                                        "a.b/c",
                                        new Credentials("", "", auth("u", "p\0"), "", "", ""))
                                .credentials())
                .isEqualTo(user("u", "p"));
        assertThat(
                        find(
                                        Optional.empty(),
                                        "a.b/c",
                                        new Credentials("", "", auth("<token>", "t"), "", "", ""))
                                .credentials())
                .isEqualTo(new Credentials("", "", "", "", "t", ""));
        assertThat(
                        find(
                                        Optional.empty(),
                                        "a.b/c",
                                        new Credentials("", "", "", "", "id", "reg"))
                                .credentials())
                .isEqualTo(new Credentials("", "", "", "", "id", "reg"));
        String notBase64 = "?? secret ??";
        assertThatThrownBy(() ->
                        find(
                                Optional.empty(),
                                "a.b/c",
                                new Credentials("", "", notBase64, "", "", "")))
                .isInstanceOf(ImageException.class)
                .hasMessageContaining("the request is not base64")
                .message()
                .doesNotContain("secret");
    }

    @Test
    void brokenFilesAreToldWithoutTheirSecrets() throws IOException {
        Path global = write("global.json", "{\"auths\":{\"a.b\":{\"auth\":\"c2Vj\" secret");

        assertThatThrownBy(() -> find(Optional.of(global), "a.b/c", NONE))
                .hasMessageContaining(global.toString())
                .hasMessageContaining("not JSON at line 1")
                .message()
                .doesNotContain("secret");
        assertThat(new Login(user("me", "secret"), "x").toString()).doesNotContain("secret");
    }

    @Test
    void credentialHelpersAreAskedByTheirProtocol() throws IOException {
        Path helper = write("bin/docker-credential-vault", "#!/bin/sh\n");
        assertThat(helper.toFile().setExecutable(true)).isTrue();
        write(".docker/config.json", "{\"credHelpers\":{\"a.b\":\"vault\"}}");
        List<Command> asked = new ArrayList<>();
        Commands commands =
                (command, deadline) -> {
                    asked.add(command);
                    return new Outcome(
                            new ExitStatus(0, 0),
                            "{\"ServerURL\":\"a.b\",\"Username\":\"u\",\"Secret\":\"s\"}"
                                    .getBytes(StandardCharsets.UTF_8),
                            new byte[0]);
                };
        Logins logins =
                new Logins(
                        Optional.empty(),
                        Map.of(
                                "HOME",
                                home.toString(),
                                "XDG_RUNTIME_DIR",
                                home + "/run",
                                "PATH",
                                home + "/bin"),
                        Optional.of(commands));
        ImageReference reference = ImageReference.parse("a.b/c");

        Login login =
                logins.find(
                        reference,
                        reference,
                        NONE,
                        RegistriesConfiguration.empty(),
                        Deadline.none());

        assertThat(login.credentials()).isEqualTo(user("u", "s"));
        assertThat(asked).hasSize(1);
        assertThat(asked.getFirst().executable()).isEqualTo(helper);
        assertThat(asked.getFirst().arguments()).containsExactly("get");
        assertThat(asked.getFirst().input()).asString().isEqualTo("a.b");
    }
}
