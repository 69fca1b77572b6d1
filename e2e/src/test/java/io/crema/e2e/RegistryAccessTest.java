package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.AuthConfig;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.PullImageRequest;
import io.crema.e2e.image.Blob;
import io.crema.e2e.image.Layer;
import io.crema.e2e.image.OciImage;
import io.crema.e2e.node.NetworkNamespace;
import io.crema.e2e.node.Shell;
import io.crema.e2e.node.TestImages;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.crema.e2e.registry.Closing;
import io.crema.e2e.registry.RegistryConfiguration.Passwords;
import io.crema.e2e.registry.TestRegistry;
import io.crema.e2e.registry.TokenServer;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Registries that want to know who asks: by a token service and by passwords. */
@Tag("e2e")
class RegistryAccessTest {
    private static final String USER = "puller";
    private static final String PASSWORD = "pässword: with a colon";
    private static final String ASCII_PASSWORD = "open sesame";

    @TempDir private static Path directory;

    private static NetworkNamespace network;
    private static TokenServer tokens;
    private static TestRegistry withTokens;
    private static TestRegistry withPasswords;
    private static TestNode node;
    private static TestImages images;

    @BeforeAll
    static void startNode() throws IOException {
        network = TestRegistry.network();
        tokens = new TokenServer(network, directory, USER, PASSWORD);
        withTokens = TestRegistry.start(network, tokens.access());
        Path passwords = directory.resolve("htpasswd");
        Files.writeString(
                passwords, Shell.run("htpasswd", "-Bbn", USER, ASCII_PASSWORD).strip() + "\n");
        withPasswords = TestRegistry.start(network, new Passwords(passwords));
        node =
                TestNode.start(
                        withTokens
                                .node()
                                .withRegistry(withPasswords.address())
                                .withConfiguration(
                                        "[crio.image]\nnamespaced_auth_dir = \""
                                                + directory.resolve("logins")
                                                + "\"\n"));
        images = node.images();
        OciImage image = OciImage.of(List.of("sh"), Layer.of(tar -> tar.file("secret", "content")));
        withTokens.push("team/secret:1", List.of(image), "--dest-creds", USER + ":" + PASSWORD);
        withPasswords.push(
                "team/secret:1", List.of(image), "--dest-creds", USER + ":" + ASCII_PASSWORD);
    }

    @AfterAll
    static void stopNode() {
        Closing.all(node, withPasswords, withTokens, tokens, () -> TestRegistry.release(network));
    }

    @AfterEach
    void removeImages() {
        images.removePulled();
    }

    @Test
    void aTokenIsFetchedForTheRepository() {
        String id = images.pull(reference(withTokens), login(USER, PASSWORD));
        assertThat(images.find(reference(withTokens)).orElseThrow().getId()).isEqualTo(id);
        assertThat(tokens.grantedScopes()).contains("repository:team/secret:pull");
    }

    @Test
    void credentialsMayBeEncodedTogether() {
        assertThat(
                        images.pull(
                                reference(withTokens),
                                AuthConfig.newBuilder()
                                        .setAuth(TokenServer.base64(USER + ":" + PASSWORD))
                                        .build()))
                .isNotEmpty();
        assertThat(
                        images.pull(
                                reference(withPasswords),
                                AuthConfig.newBuilder()
                                        .setAuth(TokenServer.base64(USER + ":" + ASCII_PASSWORD))
                                        .build()))
                .isNotEmpty();
    }

    @Test
    void aPasswordIsEnoughWhereTheRegistryAsksForIt() {
        String id = images.pull(reference(withPasswords), login(USER, ASCII_PASSWORD));
        assertThat(images.find(reference(withPasswords)).orElseThrow().getId()).isEqualTo(id);
    }

    @Test
    void credentialsForAnotherServerAreNotSent() {
        assertThatThrownBy(() ->
                        images.pull(
                                reference(withPasswords),
                                login(USER, ASCII_PASSWORD).toBuilder()
                                        .setServerAddress("https://other.example")
                                        .build()))
                .isInstanceOf(StatusRuntimeException.class);
    }

    @Test
    void nobodyAndTheWrongOneAreRefused() {
        for (TestRegistry registry : List.of(withTokens, withPasswords)) {
            for (AuthConfig credentials :
                    List.of(AuthConfig.getDefaultInstance(), login(USER, "mistaken-guess"))) {
                assertRefused(registry, credentials);
            }
        }
    }

    @Test
    void whoWasLetInOnceMustShowTheCredentialsAgain() {
        images.pull(reference(withTokens), login(USER, PASSWORD));
        images.removePulled();
        assertRefused(withTokens, AuthConfig.getDefaultInstance());
    }

    /** As a credential provider leaves it: good for one pull, by pods of one namespace. */
    @Test
    void aNamespacesOwnLoginIsTakenForItsPods() throws IOException {
        Peers.differ(node, "namespaced_auth_dir is CRI-O's");
        byte[] repository =
                (withPasswords.address() + "/team/secret").getBytes(StandardCharsets.UTF_8);
        String hash = new Blob("", repository).hex();
        Path login =
                Files.createDirectories(directory.resolve("logins"))
                        .resolve("e2e-" + hash + ".json");
        Files.writeString(
                login,
                "{\"auths\": {\"%s\": {\"auth\": \"%s\"}}}"
                        .formatted(
                                withPasswords.address(),
                                TokenServer.base64(USER + ":" + ASCII_PASSWORD)));
        assertThatThrownBy(() -> pullFor("another-namespace"))
                .isInstanceOf(StatusRuntimeException.class);
        assertThat(login).exists();
        assertThat(pullFor("e2e")).isNotEmpty();
        assertThat(login).doesNotExist();
        images.removePulled();
        assertThatThrownBy(() -> pullFor("e2e")).isInstanceOf(StatusRuntimeException.class);
    }

    private static String pullFor(String namespace) {
        return node.client()
                .images()
                .pullImage(
                        PullImageRequest.newBuilder()
                                .setImage(ImageSpec.newBuilder().setImage(reference(withPasswords)))
                                .setSandboxConfig(
                                        TestPod.config(
                                                node,
                                                pod ->
                                                        pod.getMetadataBuilder()
                                                                .setNamespace(namespace)))
                                .build())
                .getImageRef();
    }

    @Test
    void theCommandTakesCredentialsThatNobodyElseSees() throws IOException {
        Peers.differ(node, "the command is Crema's");
        String login = USER + ":" + ASCII_PASSWORD;
        String reference = reference(withPasswords);
        List<String> fromInput =
                List.of(
                        "sh",
                        "-c",
                        "line=$1; shift; printf '%s\\n' \"$line\" | \"$@\"",
                        "sh",
                        login);
        assertPulled(fromInput, node.crema("pull", "--creds-stdin", reference));
        assertPulled(
                List.of("env", "CREMA_CREDS=" + login), node.crema("pull", "--quiet", reference));
        String seen = assertPulled(List.of(), node.crema("pull", "--creds", login, reference));
        assertThat(seen).contains("every user of this machine can read --creds");
        Path file = directory.resolve("login.json");
        String packed = Base64.getEncoder().encodeToString(login.getBytes(StandardCharsets.UTF_8));
        Files.writeString(
                file,
                "{\"auths\":{\""
                        + withPasswords.address()
                        + "/team\":{\"auth\":\""
                        + packed
                        + "\"}}}");
        assertPulled(List.of(), node.crema("pull", "--authfile", file.toString(), reference));
        Shell.Result absent = Shell.result(node.crema("pull", "--authfile", "/nowhere", reference));
        assertThat(absent.exitCode()).isEqualTo(1);
        assertThat(absent.output()).contains("credentials file /nowhere is not there");
        Files.writeString(file, "{");
        Shell.Result broken =
                Shell.result(node.crema("pull", "--authfile", file.toString(), reference));
        assertThat(broken.exitCode()).isEqualTo(1);
        assertThat(broken.output()).contains("credentials file " + file + " is not JSON");
        Shell.Result none = Shell.result(node.crema("pull", reference));
        assertThat(none.exitCode()).isEqualTo(1);
        assertThat(none.output()).contains("unauthorized (401)");
        Shell.Result odd =
                Shell.result(
                        Stream.concat(
                                        Stream.of("env", "CREMA_CREDS=nobody"),
                                        node.crema("pull", reference).stream())
                                .toList());
        assertThat(odd.output()).contains("USER:PASSWORD").doesNotContain("nobody");
    }

    private static String assertPulled(List<String> before, List<String> command) {
        List<String> line = new ArrayList<>(before);
        line.addAll(command);
        Shell.Result result = Shell.result(line);
        assertThat(result.exitCode()).as(result.output()).isZero();
        assertThat(images.find(reference(withPasswords))).isPresent();
        images.removePulled();
        return result.output();
    }

    private static void assertRefused(TestRegistry registry, AuthConfig credentials) {
        assertThatThrownBy(() -> images.pull(reference(registry), credentials))
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e ->
                                assertThat(e.getStatus().getCode())
                                        .isNotIn(Status.Code.NOT_FOUND, Status.Code.UNAVAILABLE))
                .hasMessageContaining(registry.address())
                .hasMessageMatching("(?is).*(unauthorized|authorization failed|denied).*")
                .hasMessageNotContaining("mistaken-guess")
                .hasMessageNotContaining("sesame");
        assertThat(images.find(reference(registry))).isEmpty();
    }

    private static String reference(TestRegistry registry) {
        return registry.address() + "/team/secret:1";
    }

    private static AuthConfig login(String user, String password) {
        return AuthConfig.newBuilder().setUsername(user).setPassword(password).build();
    }
}
