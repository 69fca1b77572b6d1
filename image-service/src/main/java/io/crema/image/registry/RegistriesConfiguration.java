package io.crema.image.registry;

import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.image.reference.ImageName;
import io.crema.image.reference.ImageReference;
import io.crema.image.reference.ShortName;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What registries.conf (version 2) and its drop-ins say: where the images of a name are served and
 * what short names stand for.
 *
 * @param unqualifiedSearchRegistries tried in order for short names
 * @param registries at most one for each prefix
 * @param aliases short name to full repository
 * @param credentialHelpers names of helper programs that hold credentials for any host; the word
 *     {@code containers-auth.json} stands for the auth files
 */
public record RegistriesConfiguration(
        List<String> unqualifiedSearchRegistries,
        List<Registry> registries,
        Map<String, String> aliases,
        ShortNameMode shortNameMode,
        List<String> credentialHelpers) {
    /** What to do with a short name that has no alias and several registries to look in. */
    public enum ShortNameMode {
        /** Refuse it, because guessing may pull somebody else's image. */
        ENFORCING,
        /** Nobody can be asked here, so it means the same as DISABLED. */
        PERMISSIVE,
        /** Try every registry in turn. */
        DISABLED
    }

    /** For which references a mirror may be asked. */
    public enum PullFromMirror {
        ALL,
        DIGEST_ONLY,
        TAG_ONLY
    }

    /**
     * One mirror.
     *
     * @param location host and path that replace the prefix
     */
    public record Mirror(String location, boolean insecure, PullFromMirror pullFromMirror) {}

    /**
     * The settings of all images whose name begins with a prefix.
     *
     * @param prefix host and path, or {@code *.} and the end of a host
     * @param location host and path that replace the prefix; empty leaves the name as it is
     * @param mirrors in the order to try, all before the location
     */
    public record Registry(
            String prefix,
            String location,
            boolean insecure,
            boolean blocked,
            boolean mirrorByDigestOnly,
            List<Mirror> mirrors) {
        public Registry {
            mirrors = List.copyOf(mirrors);
        }

        /** Characters of the name that the prefix covers, -1 when it is not a prefix of it. */
        int matchLength(String name) {
            int end;
            if (prefix.startsWith("*.")) {
                String suffix = prefix.substring(1);
                int at = name.indexOf(suffix);
                if (at <= 0 || name.lastIndexOf('/', at) >= 0) {
                    return -1;
                }
                end = at + suffix.length();
            } else if (name.startsWith(prefix)) {
                end = prefix.length();
            } else {
                return -1;
            }
            if (end == name.length()) {
                return end;
            }
            char next = name.charAt(end);
            return next == '/' || next == ':' || next == '@' ? end : -1;
        }
    }

    /**
     * One place to ask for an image.
     *
     * @param reference the name of the image there
     */
    record PullSource(ImageReference reference, boolean insecure, boolean mirror) {}

    public RegistriesConfiguration {
        unqualifiedSearchRegistries = List.copyOf(unqualifiedSearchRegistries);
        registries = List.copyOf(registries);
        aliases = Map.copyOf(aliases);
        credentialHelpers = List.copyOf(credentialHelpers);
    }

    /** What holds without any file. */
    public static RegistriesConfiguration empty() {
        return new RegistriesConfiguration(
                List.of(), List.of(), Map.of(), ShortNameMode.ENFORCING, List.of());
    }

    public RegistriesConfiguration withShortNameMode(ShortNameMode mode) {
        return new RegistriesConfiguration(
                unqualifiedSearchRegistries, registries, aliases, mode, credentialHelpers);
    }

    /** The entry with the longest prefix of the name. */
    Optional<Registry> registryOf(ImageReference reference) {
        String name = reference.toString();
        Registry longest = null;
        for (Registry registry : registries) {
            if ((longest == null || registry.prefix.length() > longest.prefix.length())
                    && registry.matchLength(name) >= 0) {
                longest = registry;
            }
        }
        return Optional.ofNullable(longest);
    }

    /**
     * The places to ask for an image, in order: mirrors that may serve it, then its own.
     *
     * @throws ImageException FAILED_PRECONDITION when the image's prefix is blocked
     */
    List<PullSource> sources(ImageReference reference) {
        Optional<Registry> found = registryOf(reference);
        if (found.isEmpty()) {
            return List.of(new PullSource(reference, false, false));
        }
        Registry registry = found.get();
        if (registry.blocked) {
            throw new ImageException(
                    ErrorKind.FAILED_PRECONDITION,
                    "image "
                            + reference
                            + " is not pulled: registries.conf blocks '"
                            + registry.prefix
                            + "'; remove 'blocked = true' there to allow it");
        }
        boolean byDigest = reference.digest().isPresent();
        List<PullSource> sources = new ArrayList<>();
        if (byDigest || !registry.mirrorByDigestOnly) {
            for (Mirror mirror : registry.mirrors) {
                boolean serves =
                        switch (mirror.pullFromMirror) {
                            case ALL -> true;
                            case DIGEST_ONLY -> byDigest;
                            case TAG_ONLY -> !byDigest;
                        };
                if (serves) {
                    sources.add(
                            new PullSource(
                                    rewrite(reference, registry, mirror.location),
                                    mirror.insecure,
                                    true));
                }
            }
        }
        sources.add(
                new PullSource(
                        rewrite(reference, registry, registry.location), registry.insecure, false));
        return sources;
    }

    private static ImageReference rewrite(
            ImageReference reference, Registry registry, String location) {
        if (location.isEmpty()) {
            return reference;
        }
        String repository = reference.repository();
        int covered = registry.matchLength(reference.toString());
        // A prefix may name a tag or digest too; the rest of the repository is then empty.
        String rest = covered >= repository.length() ? "" : repository.substring(covered);
        String name = location + rest;
        int slash = name.indexOf('/');
        if (slash < 0) {
            throw new ImageException(
                    ErrorKind.INVALID_ARGUMENT,
                    "image "
                            + reference
                            + " has no name left after registries.conf replaces '"
                            + registry.prefix
                            + "' by '"
                            + location
                            + "'; give the location a path");
        }
        return reference.in(name.substring(0, slash), name.substring(slash + 1));
    }

    /** See {@link RegistryClient#candidates}. */
    List<ImageReference> candidates(ImageName name) {
        return switch (name) {
            case ImageReference reference -> List.of(reference.withDefaultTag());
            case ShortName shortName -> candidates(shortName);
        };
    }

    private List<ImageReference> candidates(ShortName name) {
        String alias = aliases.get(name.path());
        if (alias != null) {
            int slash = alias.indexOf('/');
            return List.of(
                    new ImageReference(
                                    alias.substring(0, slash),
                                    alias.substring(slash + 1),
                                    name.tag(),
                                    name.digest())
                            .withDefaultTag());
        }
        if (unqualifiedSearchRegistries.isEmpty()) {
            throw new ImageException(
                    ErrorKind.INVALID_ARGUMENT,
                    "short image name '"
                            + name
                            + "' stands for no registry: write it with its host, such as"
                            + " registry.example/"
                            + name
                            + ", or add an alias or unqualified-search-registries to"
                            + " registries.conf");
        }
        if (shortNameMode == ShortNameMode.ENFORCING && unqualifiedSearchRegistries.size() > 1) {
            throw new ImageException(
                    ErrorKind.INVALID_ARGUMENT,
                    "short image name '"
                            + name
                            + "' is ambiguous: it could be in any of "
                            + String.join(", ", unqualifiedSearchRegistries)
                            + "; write it with its host, add an alias to registries.conf, or set"
                            + " short_name_mode = \"disabled\" to try them all");
        }
        List<ImageReference> candidates = new ArrayList<>(unqualifiedSearchRegistries.size());
        for (String registry : unqualifiedSearchRegistries) {
            candidates.add(name.at(registry).withDefaultTag());
        }
        return candidates;
    }
}
