package io.crema.conf;

import java.util.List;

/** One thing that policy.json asks of an image; all of a list must hold. */
public sealed interface SignatureRequirement {
    /** Nothing is asked. */
    record AcceptAnything() implements SignatureRequirement {}

    /** No image is accepted. */
    record Reject() implements SignatureRequirement {}

    /** A sigstore signature by one of these keys. */
    record SigstoreSigned(List<Key> keys, SignedIdentity identity) implements SignatureRequirement {
        public SigstoreSigned {
            keys = List.copyOf(keys);
        }
    }

    /**
     * A public key as it was configured.
     *
     * @param source the file, or where in the policy it stands, for messages
     * @param pem its text, not yet read
     */
    record Key(String source, String pem) {}
}
