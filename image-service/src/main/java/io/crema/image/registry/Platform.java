package io.crema.image.registry;

import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * The machine an image is made for, in Go's words as the image-spec wants them.
 *
 * @param variant such as {@code v8}; empty when there is none
 */
public record Platform(String os, String architecture, String variant) {
    /** What attestation manifests of BuildKit carry instead of a platform. */
    private static final String UNKNOWN = "unknown";

    /** The platform of this machine. */
    public static Platform host() {
        return ofMachine(System.getProperty("os.arch", ""));
    }

    static Platform ofMachine(String machine) {
        return switch (machine.toLowerCase(Locale.ROOT)) {
            case "amd64", "x86_64" -> new Platform("linux", "amd64", "");
            case "aarch64", "arm64" -> new Platform("linux", "arm64", "v8");
            case "arm" -> new Platform("linux", "arm", "v7");
            default -> new Platform("linux", machine, "");
        };
    }

    /** Not an image but something said about one. */
    boolean isAttestation() {
        return os.equals(UNKNOWN) && architecture.equals(UNKNOWN);
    }

    /**
     * The best of the offered platforms for this machine: the exact variant first, then the newest
     * older one (a v7 machine runs v6), then one that names no variant.
     *
     * @return the position in the list, empty when this machine runs none of them
     */
    Optional<Integer> choose(List<Platform> offered) {
        int best = -1;
        int bestRank = -1;
        for (int i = 0; i < offered.size(); i++) {
            int rank = rank(offered.get(i));
            if (rank > bestRank) {
                best = i;
                bestRank = rank;
            }
        }
        return best < 0 ? Optional.empty() : Optional.of(best);
    }

    /** Higher is better, -1 does not run here. */
    private int rank(Platform other) {
        if (!other.os.equals(os) || !other.architecture.equals(architecture)) {
            return -1;
        }
        int mine = level(effectiveVariant());
        int its = level(other.effectiveVariant());
        if (other.effectiveVariant().equals(effectiveVariant())) {
            return Integer.MAX_VALUE;
        }
        if (mine < 0 || its < 0) {
            return other.variant.isEmpty() ? 0 : -1;
        }
        return its <= mine ? its : -1;
    }

    /** arm64 without a variant means v8, arm means v7, amd64 means v1 (platforms of containerd). */
    private String effectiveVariant() {
        if (!variant.isEmpty()) {
            return variant;
        }
        return switch (architecture) {
            case "arm64" -> "v8";
            case "arm" -> "v7";
            case "amd64" -> "v1";
            default -> "";
        };
    }

    private static int level(String variant) {
        if (variant.length() < 2 || variant.length() > 3 || variant.charAt(0) != 'v') {
            return -1;
        }
        int level = 0;
        for (int i = 1; i < variant.length(); i++) {
            char c = variant.charAt(i);
            if (c < '0' || c > '9') {
                return variant.charAt(i) == '.' ? level : -1;
            }
            level = level * 10 + (c - '0');
        }
        return level;
    }

    @Override
    public String toString() {
        return os + "/" + architecture + (variant.isEmpty() ? "" : "/" + variant);
    }
}
