package io.crema.conf;

/** Which name a signature must claim for an image (containers-policy.json(5), signedIdentity). */
public sealed interface SignedIdentity {
    /** The image's own name, with the same tag or digest. */
    record MatchExact() implements SignedIdentity {}

    /** With a tag the same name; without one, by digest, the same repository. */
    record MatchRepoDigestOrExact() implements SignedIdentity {}

    /** The image's repository, with any tag. */
    record MatchRepository() implements SignedIdentity {}

    /** This name and no other. */
    record ExactReference(String reference) implements SignedIdentity {}

    /** This repository, with any tag. */
    record ExactRepository(String repository) implements SignedIdentity {}

    /** As {@link MatchRepoDigestOrExact}, after one beginning of the name is replaced. */
    record RemapIdentity(String prefix, String signedPrefix) implements SignedIdentity {}
}
