package io.crema.image.trust;

import io.crema.conf.SignedIdentity;
import io.crema.image.ImageException;
import io.crema.image.reference.ImageName;
import io.crema.image.reference.ImageReference;
import io.crema.image.reference.ShortName;
import java.util.Optional;

/** Whether the name that a signature claims is the one that policy.json wants. */
final class Identities {
    private Identities() {}

    /**
     * @param intended what is to be pulled or run, with a tag or a digest
     * @param claimed what the signature says
     */
    static boolean match(SignedIdentity wanted, ImageReference intended, String claimed) {
        Optional<ImageReference> signed = read(claimed);
        if (signed.isEmpty()) {
            return false;
        }
        ImageReference name = signed.get();
        return switch (wanted) {
            case SignedIdentity.MatchExact() -> isExact(name) && name.equals(intended);
            case SignedIdentity.MatchRepoDigestOrExact() -> digestOrExact(intended, name);
            case SignedIdentity.MatchRepository() ->
                    name.repository().equals(intended.repository());
            case SignedIdentity.ExactReference(String reference) ->
                    isExact(name) && read(reference).filter(name::equals).isPresent();
            case SignedIdentity.ExactRepository(String repository) ->
                    read(repository)
                            .filter(other -> other.repository().equals(name.repository()))
                            .isPresent();
            case SignedIdentity.RemapIdentity(String prefix, String signedPrefix) ->
                    remapped(intended, prefix, signedPrefix)
                            .filter(other -> digestOrExact(other, name))
                            .isPresent();
        };
    }

    private static boolean digestOrExact(ImageReference intended, ImageReference signed) {
        if (!isExact(signed)) {
            return false;
        }
        return intended.tag().isPresent()
                ? signed.equals(intended)
                : intended.digest().isPresent()
                        && signed.repository().equals(intended.repository());
    }

    private static boolean isExact(ImageReference name) {
        return name.tag().isPresent() || name.digest().isPresent();
    }

    private static Optional<ImageReference> remapped(
            ImageReference intended, String prefix, String signedPrefix) {
        String repository = intended.repository();
        boolean covered = repository.equals(prefix) || repository.startsWith(prefix + "/");
        if (!covered) {
            return Optional.of(intended);
        }
        return read(signedPrefix + intended.toString().substring(prefix.length()));
    }

    /** Names in signatures and policies are written out, except that Docker Hub's may be short. */
    private static Optional<ImageReference> read(String text) {
        try {
            return Optional.of(
                    switch (ImageName.parse(text)) {
                        case ImageReference reference -> reference;
                        case ShortName name -> name.at(ImageReference.DOCKER_HUB);
                    });
        } catch (ImageException e) {
            return Optional.empty();
        }
    }
}
