package io.crema.runtime.cdi;

/**
 * The full name of a device: {@code vendor/class=device}.
 *
 * @param kind vendor and class: example.com/gpu
 */
record CdiDevice(String kind, String name) {
    /**
     * @throws IllegalArgumentException when this is not such a name
     */
    static CdiDevice parse(String text) {
        int slash = text.indexOf('/');
        int equals = text.indexOf('=', Math.max(slash, 0));
        if (slash < 0 || equals < 0) {
            throw new IllegalArgumentException(
                    "'" + text + "' is not the full name of a device: vendor/class=device");
        }
        String kind = text.substring(0, equals);
        checkKind(kind);
        String name = text.substring(equals + 1);
        checkName(name);
        return new CdiDevice(kind, name);
    }

    static void checkKind(String kind) {
        int slash = kind.indexOf('/');
        if (slash < 0
                || !isWord(kind.substring(0, slash), "_-.", true)
                || !isWord(kind.substring(slash + 1), "_-", true)) {
            throw new IllegalArgumentException(
                    "'" + kind + "' is not a vendor and a class: vendor.com/class");
        }
    }

    static void checkName(String name) {
        if (!isWord(name, "_-.:", false)) {
            throw new IllegalArgumentException("'" + name + "' cannot be the name of a device");
        }
    }

    /** Letters, digits and the given marks, with no mark at either end. */
    private static boolean isWord(String text, String marks, boolean letterFirst) {
        if (text.isEmpty()
                || !isLetterOrDigit(text.charAt(0))
                || (letterFirst && !isLetter(text.charAt(0)))
                || !isLetterOrDigit(text.charAt(text.length() - 1))) {
            return false;
        }
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (!isLetterOrDigit(c) && marks.indexOf(c) < 0) {
                return false;
            }
        }
        return true;
    }

    private static boolean isLetter(char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }

    private static boolean isLetterOrDigit(char c) {
        return isLetter(c) || (c >= '0' && c <= '9');
    }

    @Override
    public String toString() {
        return kind + "=" + name;
    }
}
