package io.crema.server.image;

import io.crema.image.Image;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * Which images kubelet's garbage collection must leave alone: the configured sandbox image always,
 * and what {@code pinned_images} says. A pattern is a name as the image carries it, {@code start*}
 * or {@code *word*}, without regard to case.
 */
public final class PinnedImages {
    private final List<String> patterns;

    public PinnedImages(String sandboxImage, List<String> patterns) {
        this.patterns =
                Stream.concat(Stream.of(sandboxImage), patterns.stream())
                        .filter(pattern -> !pattern.isBlank())
                        .map(pattern -> pattern.toLowerCase(Locale.ROOT))
                        .toList();
    }

    boolean contains(Image image) {
        return image.pinned() || anyMatches(image.repoTags()) || anyMatches(image.repoDigests());
    }

    private boolean anyMatches(List<String> names) {
        for (String name : names) {
            String lower = name.toLowerCase(Locale.ROOT);
            for (String pattern : patterns) {
                if (matches(pattern, lower)) {
                    return true;
                }
            }
        }
        return false;
    }

    private static boolean matches(String pattern, String name) {
        boolean open = pattern.endsWith("*");
        String fixed = open ? pattern.substring(0, pattern.length() - 1) : pattern;
        if (fixed.startsWith("*")) {
            String word = fixed.substring(1);
            return open ? name.contains(word) : name.endsWith(word);
        }
        return open ? name.startsWith(fixed) : name.equals(fixed);
    }
}
