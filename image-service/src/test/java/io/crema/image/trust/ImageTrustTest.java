package io.crema.image.trust;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.conf.SignaturePolicy;
import io.crema.conf.SignatureRequirement;
import io.crema.conf.SignatureRequirement.AcceptAnything;
import io.crema.conf.SignatureRequirement.Reject;
import io.crema.conf.SignatureRequirement.SigstoreSigned;
import io.crema.conf.SignedIdentity;
import io.crema.image.ImageException;
import io.crema.image.reference.ImageReference;
import io.crema.image.registry.ImageSignature;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class ImageTrustTest {
    private static final Digest MANIFEST = Digest.sha256("ab".repeat(32));
    private static final Digest OTHER = Digest.sha256("cd".repeat(32));
    private static final String NAME = "registry.test/app:1";
    private static final Signer SIGNER = Signer.of("EC");

    private static SignaturePolicy policy(SignatureRequirement... requirements) {
        return new SignaturePolicy("policy.json", List.of(requirements), Map.of());
    }

    private static SigstoreSigned signed(SignedIdentity identity, Signer... signers) {
        return new SigstoreSigned(List.of(signers).stream().map(Signer::key).toList(), identity);
    }

    private static SigstoreSigned signed(Signer... signers) {
        return signed(new SignedIdentity.MatchRepoDigestOrExact(), signers);
    }

    private static void verify(SignaturePolicy policy, String name, ImageSignature... signatures) {
        new ImageTrust(policy)
                .verify(
                        ImageReference.parse(name),
                        Set.of(MANIFEST),
                        List.of(signatures),
                        "looked for here");
    }

    private static void assertRefused(ThrowingCallable call, String words) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        ImageException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.CRI_REASON))
                .hasMessageStartingWith("SignatureValidationFailed: ")
                .hasMessageContaining(words);
    }

    @ParameterizedTest
    @ValueSource(strings = {"EC", "RSA", "Ed25519"})
    void everyKindOfKeyVerifies(String kind) {
        Signer signer = Signer.of(kind);
        SignaturePolicy policy = policy(signed(signer));
        ImageSignature good = signer.sign(MANIFEST, NAME);
        verify(policy, NAME, good);
        verify(policy, NAME, SIGNER.sign(MANIFEST, NAME), good);
        assertRefused(() -> verify(policy, NAME, SIGNER.sign(MANIFEST, NAME)), "another key");
        byte[] changed = good.payload().clone();
        changed[20] ^= 1;
        assertRefused(
                () -> verify(policy, NAME, new ImageSignature(MANIFEST, changed, good.signature())),
                "another key, or damaged");
    }

    @Test
    void oneOfSeveralKeysIsEnoughAndAllRequirementsMustHold() {
        Signer second = Signer.of("Ed25519");
        verify(policy(signed(second, SIGNER)), NAME, SIGNER.sign(MANIFEST, NAME));
        SignaturePolicy both = policy(signed(second), signed(SIGNER), new AcceptAnything());
        assertRefused(() -> verify(both, NAME, SIGNER.sign(MANIFEST, NAME)), "another key");
        verify(both, NAME, SIGNER.sign(MANIFEST, NAME), second.sign(MANIFEST, NAME));
        assertRefused(
                () ->
                        verify(
                                policy(signed(SIGNER), new Reject()),
                                NAME,
                                SIGNER.sign(MANIFEST, NAME)),
                "rejects registry.test/app:1");
    }

    @Test
    void withoutASignatureItIsRefusedAndThePlacesAreTold() {
        assertRefused(() -> verify(policy(signed(SIGNER)), NAME), "looked for here");
    }

    @Test
    void aSignatureOfAnotherImageDoesNotCount() {
        SignaturePolicy policy = policy(signed(SIGNER));
        assertRefused(() -> verify(policy, NAME, SIGNER.sign(OTHER, NAME)), "another image");
        // Served beside this image, but made for the other one.
        assertRefused(
                () ->
                        verify(
                                policy,
                                NAME,
                                SIGNER.sign(MANIFEST, Signer.payload(OTHER, NAME).getBytes(UTF_8))),
                "another image, " + OTHER);
    }

    @ParameterizedTest
    @CsvSource({
        "registry.test/app:1, registry.test/app:1, true",
        "registry.test/app:1, registry.test/app:2, false",
        "registry.test/app:1, registry.test/app, false",
        "registry.test/app:1, registry.test/other:1, false",
        "registry.test/app@DIGEST, registry.test/app:2, true",
        "registry.test/app@DIGEST, registry.test/app, false",
        "registry.test/app@DIGEST, registry.test/other:2, false",
        "docker.io/library/app:1, app:1, true",
        "registry.test/app:1, 'not a name', false",
    })
    void byDefaultTheTagMustBeTheSame(String name, String claimed, boolean accepted) {
        assertIdentity(new SignedIdentity.MatchRepoDigestOrExact(), name, claimed, accepted);
    }

    @Test
    void theOtherIdentities() {
        String digested = "registry.test/app@DIGEST";
        SignedIdentity exact = new SignedIdentity.MatchExact();
        assertIdentity(exact, NAME, NAME, true);
        assertIdentity(exact, digested, "registry.test/app:1", false);
        assertIdentity(exact, digested, digested, true);
        SignedIdentity repository = new SignedIdentity.MatchRepository();
        assertIdentity(repository, NAME, "registry.test/app", true);
        assertIdentity(repository, NAME, "registry.test/app:7", true);
        assertIdentity(repository, NAME, "registry.test/app2:1", false);
        SignedIdentity reference = new SignedIdentity.ExactReference("vendor.test/x:3");
        assertIdentity(reference, NAME, "vendor.test/x:3", true);
        assertIdentity(reference, NAME, "vendor.test/x:4", false);
        assertIdentity(reference, NAME, NAME, false);
        SignedIdentity named = new SignedIdentity.ExactRepository("vendor.test/x");
        assertIdentity(named, NAME, "vendor.test/x:4", true);
        assertIdentity(named, NAME, NAME, false);
        SignedIdentity remap = new SignedIdentity.RemapIdentity("registry.test", "vendor.test/y");
        assertIdentity(remap, NAME, "vendor.test/y/app:1", true);
        assertIdentity(remap, NAME, "vendor.test/y/app:2", false);
        assertIdentity(remap, digested, "vendor.test/y/app:2", true);
        assertIdentity(remap, NAME, NAME, false);
        assertIdentity(remap, "registry.testing/app:1", "registry.testing/app:1", true);
    }

    private static void assertIdentity(
            SignedIdentity identity, String name, String claimed, boolean accepted) {
        String digest = MANIFEST.toString();
        SignaturePolicy policy = policy(signed(identity, SIGNER));
        ThrowingCallable call =
                () ->
                        verify(
                                policy,
                                name.replace("DIGEST", digest),
                                SIGNER.sign(MANIFEST, claimed.replace("DIGEST", digest)));
        if (accepted) {
            assertThat(catchThrowable(call)).isNull();
        } else {
            assertRefused(call, "another name");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "[]",
                "{\"critical\":{}}",
                "{\"critical\":{},\"optional\":null}",
                "{\"critical\":{\"identity\":{\"docker-reference\":\"N\"},\"image\":"
                        + "{\"docker-manifest-digest\":\"D\"},\"type\":\"atomic container"
                        + " signature\"},\"optional\":null}",
                "{\"critical\":{\"identity\":{\"docker-reference\":\"N\",\"x\":1},\"image\":"
                        + "{\"docker-manifest-digest\":\"D\"},\"type\":\"cosign container image"
                        + " signature\"},\"optional\":null}",
                "{\"critical\":{\"identity\":{\"docker-reference\":\"N\"},\"image\":"
                        + "{\"docker-manifest-digest\":\"D\"},\"type\":\"cosign container image"
                        + " signature\"},\"optional\":5}",
                "{\"critical\":{\"identity\":{\"docker-reference\":\"N\"},\"image\":"
                        + "{\"docker-manifest-digest\":\"D\",\"docker-manifest-digest\":\"D\"},"
                        + "\"type\":\"cosign container image signature\"},\"optional\":{}}",
                "{\"critical\":{\"identity\":{\"docker-reference\":7},\"image\":"
                        + "{\"docker-manifest-digest\":\"D\"},\"type\":\"cosign container image"
                        + " signature\"},\"optional\":{}}",
                "{\"critical\":{\"identity\":{\"docker-reference\":\"N\"},\"image\":"
                        + "{\"docker-manifest-digest\":\"sha256:1\"},\"type\":\"cosign container"
                        + " image signature\"},\"optional\":{}}",
            })
    void whatIsSignedButNoProperPayloadDoesNotCount(String payload) {
        byte[] bytes =
                payload.replace("\"N\"", "\"" + NAME + "\"")
                        .replace("\"D\"", "\"" + MANIFEST + "\"")
                        .getBytes(UTF_8);
        assertRefused(
                () -> verify(policy(signed(SIGNER)), NAME, SIGNER.sign(MANIFEST, bytes)),
                "none of its 1 signatures");
    }

    @Test
    void optionalFieldsOfThePayloadMayBeAnything() {
        byte[] payload =
                Signer.payload(MANIFEST, NAME)
                        .replace("\"optional\":null", "\"optional\":{\"creator\":\"x\",\"n\":1}")
                        .getBytes(UTF_8);
        verify(policy(signed(SIGNER)), NAME, SIGNER.sign(MANIFEST, payload));
    }

    @Test
    void keysThatCannotBeUsedAreRefusedAtOnce() {
        for (String pem :
                List.of(
                        "",
                        "ssh-ed25519 AAAA",
                        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
                        Signer.of("RSA", 1024, "SHA256withRSA").publicPem())) {
            SignaturePolicy policy =
                    policy(
                            new SigstoreSigned(
                                    List.of(new SignatureRequirement.Key("/keys/bad.pub", pem)),
                                    new SignedIdentity.MatchRepository()));
            assertThatThrownBy(() -> new ImageTrust(policy))
                    .isInstanceOf(ImageException.class)
                    .hasMessageContaining("/keys/bad.pub");
        }
    }

    @Test
    void aRejectionNeedsNoSignaturesAndAReplacedPolicyCounts() {
        ImageTrust trust = ImageTrust.ofAll();
        ImageReference name = ImageReference.parse(NAME);
        assertThat(trust.asksNothing()).isTrue();
        assertThat(trust.beforePull(name)).isFalse();
        trust.replace(policy(signed(SIGNER)));
        assertThat(trust.asksNothing()).isFalse();
        assertThat(trust.beforePull(name)).isTrue();
        assertRefused(() -> trust.requireFile("oci", "/a.tar"), "archives do not have");
        trust.replace(policy(new Reject()));
        assertRefused(() -> trust.beforePull(name), "policy.json rejects " + NAME);
        assertRefused(() -> trust.requireFile("oci", "/a.tar"), "rejects /a.tar");
    }
}
