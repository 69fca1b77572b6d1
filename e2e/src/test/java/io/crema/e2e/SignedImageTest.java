package io.crema.e2e;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.PullImageRequest;
import io.crema.e2e.image.Blob;
import io.crema.e2e.image.BusyboxArchive;
import io.crema.e2e.image.Layer;
import io.crema.e2e.image.OciImage;
import io.crema.e2e.node.NetworkNamespace;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.RuntimeUnderTest;
import io.crema.e2e.node.Shell;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.crema.e2e.registry.Closing;
import io.crema.e2e.registry.TestRegistry;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.util.Base64;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** policy.json and sigstore signatures, in the registry and beside it. */
@Tag("e2e")
class SignedImageTest {
    private static final String PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json";

    @TempDir private static Path directory;

    private static NetworkNamespace network;
    private static TestRegistry registry;
    private static TestNode node;
    private static KeyPair keys;
    private static KeyPair otherKeys;
    private static OciImage image;

    @BeforeAll
    static void startNode() throws IOException, GeneralSecurityException {
        network = TestRegistry.network();
        registry = TestRegistry.open(network);
        // Whatever endpoint is asked for: containerd 1.6 has no policy of signatures.
        node =
                TestNode.start(
                        NodeSetup.of(RuntimeUnderTest.CREMA)
                                .in(network)
                                .withRegistry(registry.address())
                                .withConfiguration(
                                        "[crema.image]\nregistries_d = \"" + directory + "\"\n"));
        Path conf = node.directory().resolve("etc/crema.conf");
        Files.writeString(
                conf,
                Files.readString(conf)
                        .replace(
                                "[crio.image]\n",
                                "[crio.image]\nsignature_policy = \""
                                        + policy()
                                        + "\"\nsignature_policy_dir = \""
                                        + directory
                                        + "/policies\"\n"));
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(256);
        keys = generator.generateKeyPair();
        otherKeys = generator.generateKeyPair();
        Files.writeString(
                directory.resolve("where.yaml"),
                """
                docker:
                  "%1$s/attached":
                    use-sigstore-attachments: true
                  "%1$s/beside":
                    lookaside: file://%2$s/lookaside
                """
                        .formatted(registry.address(), directory));
        writePolicy(keys);
        node.restart();
        image =
                OciImage.of(
                        List.of("sh"),
                        Layer.of(BusyboxArchive.tar(Path.of("/bin/busybox"))),
                        // Not the image that the node has loaded already.
                        Layer.of(tar -> tar.file("signed", "by us")));
    }

    @AfterAll
    static void stopNode() {
        Closing.all(node, registry, () -> TestRegistry.release(network));
    }

    @BeforeEach
    void trustTheKey() throws IOException {
        writePolicy(keys);
        reload();
    }

    @AfterEach
    void removeImages() {
        node.removeAllPods();
        node.images().removePulled();
    }

    private static Path policy() {
        return directory.resolve("policy.json");
    }

    private static void writePolicy(KeyPair trusted) throws IOException {
        Path key =
                Files.writeString(
                        directory.resolve("key.pub"),
                        "-----BEGIN PUBLIC KEY-----\n"
                                + Base64.getMimeEncoder(64, "\n".getBytes(US_ASCII))
                                        .encodeToString(trusted.getPublic().getEncoded())
                                + "\n-----END PUBLIC KEY-----\n");
        Files.writeString(
                policy(),
                """
                {"default": [{"type": "insecureAcceptAnything"}],
                 "transports": {"docker": {
                   "%1$s/attached": [{"type": "sigstoreSigned", "keyPath": "%2$s"}],
                   "%1$s/beside": [{"type": "sigstoreSigned", "keyPath": "%2$s",
                     "signedIdentity": {"type": "matchRepository"}}],
                   "%1$s/forbidden": [{"type": "reject"}]}}}
                """
                        .formatted(registry.address(), key));
    }

    /** SIGHUP, until the daemon says that it is done. */
    private static void reload() throws IOException {
        long before = completions();
        Shell.run("kill", "-HUP", Long.toString(node.daemonPid()));
        long end = System.nanoTime() + 20_000_000_000L;
        while (completions() == before) {
            if (System.nanoTime() > end) {
                throw new AssertionError("no reload: " + Files.readString(node.log()));
            }
            Thread.onSpinWait();
        }
    }

    private static long completions() throws IOException {
        return Files.readString(node.log())
                .lines()
                .filter(line -> line.contains("Configuration reload completed"))
                .count();
    }

    private static String name(String repository) {
        return registry.address() + "/" + repository + ":1";
    }

    private static byte[] payload(String claimed) {
        return ("{\"critical\":{\"identity\":{\"docker-reference\":\""
                        + claimed
                        + "\"},\"image\":{\"docker-manifest-digest\":\""
                        + image.manifest().digest()
                        + "\"},\"type\":\"cosign container image signature\"},\"optional\":null}")
                .getBytes(UTF_8);
    }

    private static String sign(KeyPair by, byte[] payload) throws GeneralSecurityException {
        Signature signature = Signature.getInstance("SHA256withECDSA");
        signature.initSign(by.getPrivate());
        signature.update(payload);
        return Base64.getEncoder().encodeToString(signature.sign());
    }

    /** As cosign attaches a signature. */
    private static void attach(String repository, KeyPair by, String claimed)
            throws GeneralSecurityException {
        Blob payload = new Blob(PAYLOAD, payload(claimed));
        Blob config = new Blob("application/vnd.oci.image.config.v1+json", "{}".getBytes(UTF_8));
        registry.upload().blob(repository, payload);
        registry.upload().blob(repository, config);
        String manifest =
                """
                {"schemaVersion":2,"mediaType":"%s",
                 "config":{"mediaType":"%s","digest":"%s","size":%d},
                 "layers":[{"mediaType":"%s","digest":"%s","size":%d,
                   "annotations":{"dev.cosignproject.cosign/signature":"%s"}}]}
                """
                        .formatted(
                                OciImage.MANIFEST,
                                config.mediaType(),
                                config.digest(),
                                config.content().length,
                                PAYLOAD,
                                payload.digest(),
                                payload.content().length,
                                sign(by, payload.content()));
        registry.upload()
                .manifest(
                        repository,
                        "sha256-" + image.manifest().hex() + ".sig",
                        new Blob(OciImage.MANIFEST, manifest.getBytes(UTF_8)));
    }

    private static void assertRefused(ThrowingCallable call, String words) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e -> {
                            assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.UNKNOWN);
                            assertThat(e.getStatus().getDescription())
                                    .startsWith("SignatureValidationFailed: ")
                                    .contains(words);
                        });
    }

    @Test
    void whatIsForbiddenOrUnsignedIsNotPulled() {
        for (String repository : List.of("forbidden/app", "attached/unsigned", "beside/unsigned")) {
            registry.upload().image(repository, "1", image);
            assertRefused(() -> node.images().pull(name(repository)), name(repository));
            assertThat(node.images().find(name(repository))).isEmpty();
        }
    }

    @Test
    void anAttachedSignatureLetsTheImageRunUntilItsKeyIsNoLongerTrusted() throws Exception {
        registry.upload().image("attached/app", "1", image);
        attach("attached/app", keys, name("attached/app"));
        String id = node.images().pull(name("attached/app"));
        TestPod pod = TestPod.run(node);
        assertThat(
                        pod.output(
                                pod.shell("one", "echo ran")
                                        .setImage(
                                                ImageSpec.newBuilder()
                                                        .setImage(id)
                                                        .setUserSpecifiedImage(
                                                                name("attached/app")))))
                .isEqualTo("ran\n");
        writePolicy(otherKeys);
        reload();
        assertRefused(
                () ->
                        pod.create(
                                pod.shell("two", "echo ran")
                                        .setImage(ImageSpec.newBuilder().setImage(id))
                                        .build()),
                "another key");
        assertRefused(() -> node.images().pull(name("attached/app")), "another key");
    }

    @Test
    void aSignatureForAnotherNameOrByAnotherKeyDoesNotCount() throws Exception {
        registry.upload().image("attached/name", "1", image);
        attach("attached/name", keys, registry.address() + "/attached/name:2");
        assertRefused(() -> node.images().pull(name("attached/name")), "another name");
        registry.upload().image("attached/key", "1", image);
        attach("attached/key", otherKeys, name("attached/key"));
        assertRefused(() -> node.images().pull(name("attached/key")), "another key");
    }

    @Test
    void aSignatureMayLieBesideTheRegistry() throws Exception {
        registry.upload().image("beside/app", "1", image);
        byte[] payload = payload(registry.address() + "/beside/app");
        Path store =
                Files.createDirectories(
                        directory.resolve("lookaside/beside/app@sha256=" + image.manifest().hex()));
        String signature =
                """
                {"mimeType":"%s","payload":"%s",
                 "annotations":{"dev.cosignproject.cosign/signature":"%s"}}
                """
                        .formatted(
                                PAYLOAD,
                                Base64.getEncoder().encodeToString(payload),
                                sign(keys, payload));
        Files.writeString(store.resolve("signature-1"), "-----BEGIN PGP MESSAGE-----");
        Files.writeString(store.resolve("signature-2"), "\0sigstore-json\n" + signature);
        node.images().pull(name("beside/app"));
        assertThat(node.images().find(name("beside/app"))).isPresent();
    }

    @Test
    void aNamespaceMayHaveAPolicyOfItsOwn() throws IOException {
        registry.push("plain/app:1", List.of(image));
        Path policies = Files.createDirectories(directory.resolve("policies"));
        Path locked = policies.resolve("locked.json");
        Files.writeString(locked, "{\"default\": [{\"type\": \"reject\"}]}");
        PullImageRequest.Builder request =
                PullImageRequest.newBuilder()
                        .setImage(ImageSpec.newBuilder().setImage(name("plain/app")));
        request.getSandboxConfigBuilder().getMetadataBuilder().setNamespace("locked");
        assertRefused(() -> node.client().images().pullImage(request.build()), locked + " rejects");
        request.getSandboxConfigBuilder().getMetadataBuilder().setNamespace("free");
        node.client().images().pullImage(request.build());
        TestPod pod =
                TestPod.run(node, config -> config.getMetadataBuilder().setNamespace("locked"));
        ContainerConfig container =
                pod.shell("one", "true")
                        .setImage(ImageSpec.newBuilder().setImage(name("plain/app")))
                        .build();
        assertRefused(() -> pod.create(container), locked + " rejects");
        Files.writeString(locked, "{\"default\": [{\"type\": \"signedBy\"}]}");
        assertRefused(() -> pod.create(container), "the policy of namespace locked");
        Files.delete(locked);
        pod.create(container);
    }

    @Test
    void whatIsPinnedChangesByAReload() throws IOException {
        registry.push("plain/pinned:1", List.of(image));
        node.images().pull(name("plain/pinned"));
        assertThat(node.images().find(name("plain/pinned")).orElseThrow().getPinned()).isFalse();
        Path conf = node.directory().resolve("etc/crema.conf");
        String before = Files.readString(conf);
        Files.writeString(
                conf,
                before.replace(
                        "[crio.image]\n",
                        "[crio.image]\npinned_images = [\""
                                + registry.address()
                                + "/plain/*\"]\n"));
        reload();
        assertThat(node.images().find(name("plain/pinned")).orElseThrow().getPinned()).isTrue();
        Files.writeString(conf, before);
        reload();
        assertThat(node.images().find(name("plain/pinned")).orElseThrow().getPinned()).isFalse();
    }

    @Test
    void whatCannotBeVerifiedStopsTheStart() throws IOException {
        Files.writeString(
                policy(),
                "{\"default\": [{\"type\": \"signedBy\", \"keyType\": \"GPGKeys\", \"keyPath\":"
                        + " \"/k\"}]}");
        Shell.Result refused =
                Shell.result(
                        node.network()
                                .enter(node.crema("serve", "--listen", directory + "/2.sock")));
        assertThat(refused.exitCode()).isEqualTo(1);
        assertThat(refused.output()).contains("signedBy", "cannot verify GPG signatures");
    }
}
