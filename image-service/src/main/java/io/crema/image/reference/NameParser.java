package io.crema.image.reference;

import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import java.util.Optional;

/** The grammar of image names, read by hand in one pass so that errors can quote the bad part. */
final class NameParser {
    /** Bound of registry and path together (distribution's NameTotalLengthMax). */
    private static final int MAX_NAME = 255;

    private static final int MAX_TAG = 128;

    /** More than any legal name; keeps hostile text out of error messages. */
    private static final int MAX_TEXT = 600;

    private NameParser() {}

    static ImageName parse(String text) {
        if (text.isEmpty()) {
            throw invalid("the image name is empty; write [host[:port]/]path[:tag][@digest]");
        }
        if (text.length() > MAX_TEXT) {
            throw invalid(
                    "image name of "
                            + text.length()
                            + " characters is too long: '"
                            + text.substring(0, 60)
                            + "…'");
        }
        String rest = text;
        Optional<Digest> digest = Optional.empty();
        int at = rest.indexOf('@');
        if (at >= 0) {
            digest = Optional.of(digest(rest.substring(at + 1), text));
            rest = rest.substring(0, at);
        }
        Optional<String> tag = Optional.empty();
        int colon = rest.lastIndexOf(':');
        // A colon before a slash or before a closing bracket belongs to the host.
        if (colon >= 0 && rest.indexOf('/', colon) < 0 && rest.indexOf(']', colon) < 0) {
            tag = Optional.of(rest.substring(colon + 1));
            rest = rest.substring(0, colon);
            checkTag(tag.get(), text);
        }
        int slash = rest.indexOf('/');
        if (slash < 0 || !looksLikeRegistry(rest.substring(0, slash))) {
            if (isImageId(rest)) {
                throw invalid(
                        "'"
                                + rest
                                + "' is 64 hexadecimal characters: that is an image id, not a"
                                + " name");
            }
            checkPath(rest, text);
            checkLength(rest);
            return new ShortName(rest, tag, digest);
        }
        checkRegistry(rest.substring(0, slash), text);
        checkPath(rest.substring(slash + 1), text);
        return new ImageReference(rest.substring(0, slash), rest.substring(slash + 1), tag, digest);
    }

    private static boolean looksLikeRegistry(String component) {
        if (component.equals("localhost")) {
            return true;
        }
        for (int i = 0; i < component.length(); i++) {
            char c = component.charAt(i);
            if (c == '.' || c == ':' || c == '[' || (c >= 'A' && c <= 'Z')) {
                return true;
            }
        }
        return false;
    }

    private static boolean isImageId(String name) {
        if (name.length() != 64) {
            return false;
        }
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            if (!isDigit(c) && !(c >= 'a' && c <= 'f')) {
                return false;
            }
        }
        return true;
    }

    private static Digest digest(String digest, String text) {
        try {
            return Digest.parse(digest);
        } catch (IllegalArgumentException e) {
            throw new ImageException(
                    ErrorKind.INVALID_ARGUMENT,
                    "image name '" + text + "' is malformed: " + e.getMessage(),
                    e);
        }
    }

    static void checkLength(String name) {
        if (name.length() > MAX_NAME) {
            throw invalid(
                    "image name of "
                            + name.length()
                            + " characters is too long, "
                            + MAX_NAME
                            + " are allowed: '"
                            + name.substring(0, 60)
                            + "…'");
        }
    }

    static void checkTag(String tag, String text) {
        boolean valid = !tag.isEmpty() && tag.length() <= MAX_TAG;
        for (int i = 0; valid && i < tag.length(); i++) {
            char c = tag.charAt(i);
            valid = isAlphanumeric(c) || c == '_' || (i > 0 && (c == '.' || c == '-'));
        }
        if (!valid) {
            throw malformed(
                    text,
                    "tag",
                    tag,
                    "a tag is 1 to 128 letters, digits, '_', '.' and '-', not beginning with '.'"
                            + " or '-'");
        }
    }

    static void checkRegistry(String registry, String text) {
        int portAt = registry.lastIndexOf(':');
        String host = registry;
        if (registry.startsWith("[")) {
            int close = registry.indexOf(']');
            if (close < 0) {
                throw malformed(text, "host", registry, "an IPv6 address ends with ']'");
            }
            host = registry.substring(1, close);
            portAt = close + 1 < registry.length() ? close + 1 : -1;
            if (portAt > 0 && registry.charAt(portAt) != ':') {
                throw malformed(text, "host", registry, "only a port can follow ']'");
            }
            checkIpv6(host, registry, text);
        } else {
            if (portAt >= 0) {
                host = registry.substring(0, portAt);
            }
            checkHost(host, registry, text);
        }
        if (portAt >= 0) {
            checkPort(registry.substring(portAt + 1), text);
        }
    }

    private static void checkPort(String port, String text) {
        boolean valid = !port.isEmpty() && port.length() <= 5;
        int number = 0;
        for (int i = 0; valid && i < port.length(); i++) {
            valid = isDigit(port.charAt(i));
            number = number * 10 + (port.charAt(i) - '0');
        }
        if (!valid || number > 65535) {
            throw malformed(text, "port", port, "a port is a number up to 65535");
        }
    }

    private static void checkIpv6(String host, String registry, String text) {
        boolean valid = !host.isEmpty();
        for (int i = 0; valid && i < host.length(); i++) {
            char c = host.charAt(i);
            valid =
                    isDigit(c)
                            || (c >= 'a' && c <= 'f')
                            || (c >= 'A' && c <= 'F')
                            || c == ':'
                            || c == '.';
        }
        if (!valid) {
            throw malformed(text, "host", registry, "brackets hold an IPv6 address");
        }
    }

    private static void checkHost(String host, String registry, String text) {
        int start = 0;
        while (start <= host.length()) {
            int end = host.indexOf('.', start);
            if (end < 0) {
                end = host.length();
            }
            boolean valid = end > start && host.charAt(start) != '-' && host.charAt(end - 1) != '-';
            for (int i = start; valid && i < end; i++) {
                char c = host.charAt(i);
                valid = isAlphanumeric(c) || c == '-';
            }
            if (!valid) {
                throw malformed(
                        text,
                        "host",
                        registry,
                        "a host is letters, digits and inner '-', separated by single dots");
            }
            start = end + 1;
        }
    }

    static void checkPath(String path, String text) {
        int start = 0;
        while (start <= path.length()) {
            int end = path.indexOf('/', start);
            if (end < 0) {
                end = path.length();
            }
            checkComponent(path.substring(start, end), text);
            start = end + 1;
        }
    }

    /** Lower-case alphanumerics with single '.', one or two '_', or any number of '-' between. */
    private static void checkComponent(String component, String text) {
        int i = 0;
        boolean valid = !component.isEmpty();
        while (valid && i < component.length()) {
            if (isLowerAlphanumeric(component.charAt(i))) {
                i++;
                continue;
            }
            int run = i;
            char separator = component.charAt(i);
            while (run < component.length() && component.charAt(run) == separator) {
                run++;
            }
            int length = run - i;
            valid =
                    i > 0
                            && run < component.length()
                            && isLowerAlphanumeric(component.charAt(run))
                            && switch (separator) {
                                case '.' -> length == 1;
                                case '_' -> length <= 2;
                                case '-' -> true;
                                default -> false;
                            };
            i = run;
        }
        if (!valid) {
            throw malformed(
                    text,
                    "path component",
                    component,
                    "use lower-case letters and digits, separated by '.', '_', '__' or '-'");
        }
    }

    static String format(String name, Optional<String> tag, Optional<Digest> digest) {
        StringBuilder text = new StringBuilder(name);
        tag.ifPresent(t -> text.append(':').append(t));
        digest.ifPresent(d -> text.append('@').append(d));
        return text.toString();
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    private static boolean isLowerAlphanumeric(char c) {
        return isDigit(c) || (c >= 'a' && c <= 'z');
    }

    private static boolean isAlphanumeric(char c) {
        return isLowerAlphanumeric(c) || (c >= 'A' && c <= 'Z');
    }

    private static ImageException malformed(String text, String part, String bad, String rule) {
        return invalid(
                "image name '" + text + "' is malformed: " + part + " '" + bad + "': " + rule);
    }

    private static ImageException invalid(String message) {
        return new ImageException(ErrorKind.INVALID_ARGUMENT, message);
    }
}
