package io.crema.runtime;

import java.util.Map;

/** Label selectors as the CRI has them: every pair must be there. */
final class Labels {
    private Labels() {}

    static boolean match(Map<String, String> selector, Map<String, String> labels) {
        for (Map.Entry<String, String> wanted : selector.entrySet()) {
            if (!wanted.getValue().equals(labels.get(wanted.getKey()))) {
                return false;
            }
        }
        return true;
    }
}
