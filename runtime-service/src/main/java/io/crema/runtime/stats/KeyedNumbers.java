package io.crema.runtime.stats;

import java.util.Arrays;

/**
 * Picks numbers out of a file with one key and one number on each line, such as memory.stat, in one
 * pass over it.
 */
final class KeyedNumbers {
    /** The key was not there. */
    static final long MISSING = -1;

    private final String[] keys;

    KeyedNumbers(String... keys) {
        this.keys = keys.clone();
    }

    /** The numbers of the text that was just read, in the order of the keys. */
    long[] pick(KernelText text) {
        long[] values = new long[keys.length];
        Arrays.fill(values, MISSING);
        int left = keys.length;
        while (left > 0 && text.nextLine()) {
            if (!text.nextWord()) {
                continue;
            }
            for (int i = 0; i < keys.length; i++) {
                if (values[i] == MISSING && text.wordIs(keys[i])) {
                    if (text.nextWord()) {
                        values[i] = text.number();
                        left--;
                    }
                    break;
                }
            }
        }
        return values;
    }
}
