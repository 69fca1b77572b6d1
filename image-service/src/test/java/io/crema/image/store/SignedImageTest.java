package io.crema.image.store;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Deadline;
import io.crema.conf.SignaturePolicy;
import io.crema.conf.SignatureRequirement;
import io.crema.conf.SignatureRequirement.AcceptAnything;
import io.crema.conf.SignatureRequirement.Reject;
import io.crema.conf.SignatureRequirement.SigstoreSigned;
import io.crema.conf.SignedIdentity;
import io.crema.image.Image;
import io.crema.image.Images.Credentials;
import io.crema.image.layer.TarBytes;
import io.crema.image.registry.MemoryRegistry;
import io.crema.image.registry.MemoryRegistry.Layer;
import io.crema.image.registry.ResolvedImage;
import io.crema.image.trust.ImageTrust;
import io.crema.image.trust.Signer;
import io.crema.oci.linux.jna.JnaLinux;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The signature policy at a pull, and again for every container. */
@Tag("root")
@Timeout(60)
final class SignedImageTest {
    private static final String NAME = "registry.test/app:1";
    private static final Signer SIGNER = Signer.of("EC");

    @TempDir Path directory;
    private final MemoryRegistry registry = new MemoryRegistry();
    private final ImageTrust trust = new ImageTrust(policy(signed(SIGNER)));
    private ImageStore store;
    private ResolvedImage served;

    @BeforeEach
    void open() {
        store = newStore();
        byte[] tar = new TarBytes().file("x", "y").end();
        served = registry.serve(NAME, "", List.of(new Layer(tar, TarBytes.gzip(tar))));
    }

    @AfterEach
    void close() {
        store.close();
    }

    private ImageStore newStore() {
        return new ImageStore(
                StoreOptions.at(directory.resolve("store"), List.of()).withTrust(trust),
                JnaLinux.load(),
                registry);
    }

    private static SignaturePolicy policy(SignatureRequirement requirement) {
        return new SignaturePolicy("policy.json", List.of(requirement), Map.of());
    }

    private static SigstoreSigned signed(Signer signer) {
        return new SigstoreSigned(
                List.of(signer.key()), new SignedIdentity.MatchRepoDigestOrExact());
    }

    private Image pull() {
        return store.pull(NAME, Credentials.none(), Deadline.after(Duration.ofMinutes(1)));
    }

    @Test
    void nothingIsFetchedOfAnUnsignedImage() {
        assertThatThrownBy(this::pull).hasMessageStartingWith("SignatureValidationFailed: ");
        assertThat(store.list()).isEmpty();
        assertThat(registry.opens(served.image().layers().getFirst().digest())).isZero();
    }

    @Test
    void aSignedImageIsJudgedAgainWithoutTheRegistry() {
        registry.sign(SIGNER.sign(served.manifest().digest(), NAME));
        Image image = pull();
        store.requireTrusted(image, NAME);
        store.close();
        store = newStore();
        Image again = store.find(NAME).orElseThrow();
        store.requireTrusted(again, NAME);
        store.requireTrusted(again, again.id().value());
        Signer other = Signer.of("Ed25519");
        trust.replace(policy(signed(other)));
        assertThatThrownBy(() -> store.requireTrusted(again, NAME))
                .hasMessageStartingWith("SignatureValidationFailed: ")
                .hasMessageContaining("another key");
        // The new key's signature comes with the next pull, though no byte of the image does.
        registry.sign(other.sign(served.manifest().digest(), NAME));
        pull();
        store.requireTrusted(again, NAME);
        trust.replace(policy(new Reject()));
        assertThatThrownBy(() -> store.requireTrusted(again, NAME)).hasMessageContaining("rejects");
    }

    @Test
    void anImageFromBeforeThePolicyMustBePulledAgain() {
        trust.replace(policy(new AcceptAnything()));
        Image image = pull();
        trust.replace(policy(signed(SIGNER)));
        assertThatThrownBy(() -> store.requireTrusted(image, NAME))
                .hasMessageContaining("pull it again");
    }

    @Test
    void aLoadedImageIsJudgedAsAnArchive() throws Exception {
        Path layout =
                ToolImages.layout(
                        directory.resolve("layout"),
                        "one",
                        List.of(new TarBytes().file("x", "y").end()));
        assertThatThrownBy(() -> store.load(layout)).hasMessageContaining("transport oci)");
        trust.replace(
                new SignaturePolicy(
                        "policy.json",
                        List.of(new Reject()),
                        Map.of("oci", Map.of("", List.of(new AcceptAnything())))));
        Image image = store.load(layout).getFirst();
        store.requireTrusted(image, image.repoTags().getFirst());
        trust.replace(policy(new Reject()));
        assertThatThrownBy(() -> store.requireTrusted(image, ""))
                .hasMessageStartingWith("SignatureValidationFailed: ");
    }

    @Test
    void untagsOneNameWhenSoConfigured() {
        trust.replace(policy(new AcceptAnything()));
        store.close();
        store =
                new ImageStore(
                        StoreOptions.at(directory.resolve("store"), List.of())
                                .withRemoveUntags(true),
                        JnaLinux.load(),
                        registry);
        byte[] tar = new TarBytes().file("x", "y").end();
        String second = "registry.test/other:2";
        registry.serve(second, "", List.of(new Layer(tar, TarBytes.gzip(tar))));
        Image image = pull();
        store.pull(second, Credentials.none(), Deadline.after(Duration.ofMinutes(1)));
        store.use(image.id(), "container");
        store.remove(NAME);
        assertThat(store.find(NAME)).isEmpty();
        assertThat(store.find(second).orElseThrow().repoTags()).containsExactly(second);
        assertThatThrownBy(() -> store.remove(second)).hasMessageContaining("in use");
        store.release("container");
        store.remove(second);
        assertThat(store.list()).isEmpty();
    }
}
