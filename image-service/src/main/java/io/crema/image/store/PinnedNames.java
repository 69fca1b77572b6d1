package io.crema.image.store;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * Which names pin their image against kubelet's garbage collection (crio.conf, {@code
 * pinned_images}): exact, {@code prefix*} and {@code *word*} patterns, without regard to case.
 */
final class PinnedNames {
    private final List<String> patterns = new ArrayList<>();

    PinnedNames(List<String> patterns) {
        for (String pattern : patterns) {
            if (!pattern.isBlank()) {
                this.patterns.add(pattern.strip().toLowerCase(Locale.ROOT));
            }
        }
    }

    boolean anyOf(List<String> names) {
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
        boolean startOpen = pattern.startsWith("*");
        boolean endOpen = pattern.length() > 1 && pattern.endsWith("*");
        String word = pattern.substring(startOpen ? 1 : 0, pattern.length() - (endOpen ? 1 : 0));
        if (startOpen) {
            return endOpen ? name.contains(word) : name.endsWith(word);
        }
        return endOpen ? name.startsWith(word) : name.equals(word);
    }
}
