package io.crema.conf;

import java.util.Collection;
import java.util.Optional;

/** Finds the word that somebody who mistyped meant. */
final class Nearest {
    private Nearest() {}

    /** The nearest known word, unless all of them are too far away to have been meant. */
    static Optional<String> to(String word, Collection<String> known) {
        int limit = Math.max(1, word.length() / 3) + 1;
        String nearest = "";
        for (String candidate : known) {
            int distance = distance(word, candidate);
            if (distance < limit) {
                limit = distance;
                nearest = candidate;
            }
        }
        return nearest.isEmpty() ? Optional.empty() : Optional.of(nearest);
    }

    /** The nearest known word as the end of a sentence; empty when there is none. */
    static String suggestion(String word, Collection<String> known) {
        return to(word, known).map(nearest -> "; did you mean " + nearest + "?").orElse("");
    }

    /** How many letters must be added, removed or changed (Levenshtein). */
    static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        for (int j = 0; j <= b.length(); j++) {
            row[j] = j;
        }
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int change = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(change, 1 + Math.min(row[j], row[j - 1]));
            }
        }
        return row[b.length()];
    }
}
