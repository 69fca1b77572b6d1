package io.crema.image.trust;

import io.crema.base.CremaException;
import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.conf.SignaturePolicy;
import io.crema.conf.SignatureRequirement;
import io.crema.conf.SignatureRequirement.AcceptAnything;
import io.crema.conf.SignatureRequirement.Reject;
import io.crema.conf.SignatureRequirement.SigstoreSigned;
import io.crema.image.ImageException;
import io.crema.image.reference.ImageReference;
import io.crema.image.registry.ImageSignature;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;

/**
 * Decides whether an image may be pulled, loaded or run, as policy.json says. Signatures that were
 * found at a pull are kept with the image, and decide again when a container is made of it, by the
 * policy of that time.
 */
public final class ImageTrust {
    private static final String REASON = "SignatureValidationFailed: ";

    /** The policy with its keys read; replaced as a whole. */
    private record Rules(SignaturePolicy policy, Map<SignatureRequirement.Key, TrustedKey> keys) {}

    private final Function<String, Optional<SignaturePolicy>> ofNamespaces;
    private volatile Rules rules;

    /**
     * @throws ImageException INVALID_ARGUMENT for a key that cannot be used
     */
    public ImageTrust(SignaturePolicy policy) {
        this(policy, namespace -> Optional.empty());
    }

    /**
     * @param ofNamespaces the policy that a namespace has of its own; read anew each time
     * @throws ImageException INVALID_ARGUMENT for a key that cannot be used
     */
    public ImageTrust(
            SignaturePolicy policy, Function<String, Optional<SignaturePolicy>> ofNamespaces) {
        this.ofNamespaces = ofNamespaces;
        this.rules = rules(policy);
    }

    /**
     * What holds for the pods of a namespace: its own policy where it has one, else this.
     *
     * @throws ImageException CRI_REASON SignatureValidationFailed for a policy that cannot be used:
     *     nothing is accepted by it
     */
    public ImageTrust of(String namespace) {
        try {
            return ofNamespaces.apply(namespace).map(ImageTrust::new).orElse(this);
        } catch (CremaException e) {
            throw new ImageException(
                    ErrorKind.CRI_REASON,
                    REASON
                            + "the policy of namespace "
                            + namespace
                            + " cannot be used: "
                            + e.getMessage(),
                    e);
        }
    }

    /** What it asks for. */
    public SignaturePolicy policy() {
        return rules.policy;
    }

    /** Accepts every image. */
    public static ImageTrust ofAll() {
        return new ImageTrust(SignaturePolicy.acceptAll("no policy"));
    }

    /**
     * Takes a changed policy.
     *
     * @throws ImageException INVALID_ARGUMENT for a key that cannot be used; the old policy stays
     */
    public void replace(SignaturePolicy policy) {
        rules = rules(policy);
    }

    private static Rules rules(SignaturePolicy policy) {
        Map<SignatureRequirement.Key, TrustedKey> keys = new HashMap<>();
        List<List<SignatureRequirement>> all = new ArrayList<>();
        all.add(policy.otherwise());
        policy.transports().values().forEach(scopes -> all.addAll(scopes.values()));
        for (List<SignatureRequirement> requirements : all) {
            for (SignatureRequirement requirement : requirements) {
                if (requirement instanceof SigstoreSigned signed) {
                    signed.keys().forEach(key -> keys.computeIfAbsent(key, TrustedKey::read));
                }
            }
        }
        return new Rules(policy, Map.copyOf(keys));
    }

    /** Whether nothing at all is asked of any image. */
    public boolean asksNothing() {
        return rules.policy.asksNothing();
    }

    /**
     * Refuses what no signature could save, before anything is fetched.
     *
     * @return whether {@link #verify} needs signatures
     */
    public boolean beforePull(ImageReference reference) {
        boolean needsSignatures = false;
        Rules now = rules;
        for (SignatureRequirement requirement : now.policy.ofRegistryImage(reference.toString())) {
            switch (requirement) {
                case AcceptAnything() -> {}
                case Reject() -> throw rejected(now, reference);
                case SigstoreSigned _ -> needsSignatures = true;
            }
        }
        return needsSignatures;
    }

    private static ImageException rejected(Rules rules, ImageReference reference) {
        return new ImageException(
                ErrorKind.CRI_REASON,
                REASON
                        + rules.policy.source()
                        + " rejects "
                        + reference
                        + "; ask the administrator of this node to allow its scope");
    }

    /**
     * Refuses an image unless its signatures fulfil every requirement of its scope.
     *
     * @param reference the name by which it is pulled or run
     * @param digests its manifest and the indexes that led to it, all known to be true
     * @param signatures what was found
     * @param places where they were looked for, for messages
     * @throws ImageException CRI_REASON SignatureValidationFailed
     */
    public void verify(
            ImageReference reference,
            Set<Digest> digests,
            Collection<ImageSignature> signatures,
            String places) {
        Rules now = rules;
        for (SignatureRequirement requirement : now.policy.ofRegistryImage(reference.toString())) {
            switch (requirement) {
                case AcceptAnything() -> {}
                case Reject() -> throw rejected(now, reference);
                case SigstoreSigned signed ->
                        requireSigned(now, signed, reference, digests, signatures, places);
            }
        }
    }

    private static void requireSigned(
            Rules rules,
            SigstoreSigned wanted,
            ImageReference reference,
            Set<Digest> digests,
            Collection<ImageSignature> signatures,
            String places) {
        List<String> reasons = new ArrayList<>();
        for (ImageSignature signature : signatures) {
            try {
                accept(rules, wanted, reference, digests, signature);
                return;
            } catch (UnacceptableSignatureException e) {
                if (!reasons.contains(e.getMessage())) {
                    reasons.add(String.valueOf(e.getMessage()));
                }
            }
        }
        String found =
                signatures.isEmpty()
                        ? "it has no signature (" + places + ")"
                        : "none of its "
                                + signatures.size()
                                + " signatures is accepted: "
                                + String.join("; ", reasons);
        throw new ImageException(
                ErrorKind.CRI_REASON,
                REASON
                        + rules.policy.source()
                        + " wants "
                        + reference
                        + " signed by "
                        + String.join(
                                " or ",
                                wanted.keys().stream()
                                        .map(SignatureRequirement.Key::source)
                                        .toList())
                        + ", but "
                        + found);
    }

    private static void accept(
            Rules rules,
            SigstoreSigned wanted,
            ImageReference reference,
            Set<Digest> digests,
            ImageSignature signature)
            throws UnacceptableSignatureException {
        byte[] bytes;
        try {
            bytes = Base64.getDecoder().decode(signature.signature());
        } catch (IllegalArgumentException e) {
            throw new UnacceptableSignatureException("one is not base64");
        }
        boolean signed = false;
        for (SignatureRequirement.Key configured : wanted.keys()) {
            TrustedKey key = rules.keys.get(configured);
            signed |= key != null && key.made(bytes, signature.payload());
        }
        if (!signed) {
            throw new UnacceptableSignatureException("one is of another key, or damaged");
        }
        SignedPayload payload = SignedPayload.read(signature.payload());
        if (!payload.manifest().equals(signature.of()) || !digests.contains(signature.of())) {
            throw new UnacceptableSignatureException(
                    "one is for another image, " + payload.manifest());
        }
        if (!Identities.match(wanted.identity(), reference, payload.reference())) {
            throw new UnacceptableSignatureException(
                    "one is for another name, '" + payload.reference() + "'");
        }
    }

    /**
     * Refuses archives of a kind, which bring no signatures.
     *
     * @param transport {@code oci}, {@code oci-archive} or {@code docker-archive}
     * @param what the archive, for messages
     */
    public void requireFile(String transport, String what) {
        Rules now = rules;
        for (SignatureRequirement requirement : now.policy.ofFile(transport)) {
            if (!(requirement instanceof AcceptAnything)) {
                throw new ImageException(
                        ErrorKind.CRI_REASON,
                        REASON
                                + now.policy.source()
                                + (requirement instanceof Reject
                                        ? " rejects "
                                        : " wants signatures, which archives do not have, of ")
                                + what
                                + " (transport "
                                + transport
                                + ")");
            }
        }
    }
}
