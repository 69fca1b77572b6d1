package io.crema.image.registry;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * One way in which a registry asks who we are: an element of WWW-Authenticate (RFC 9110, 11.6.1).
 *
 * @param scheme in lower case
 * @param parameters by name in lower case
 */
record Challenge(String scheme, Map<String, String> parameters) {
    private static final int MAX_HEADER = 8 << 10;

    Challenge {
        parameters = Map.copyOf(parameters);
    }

    String parameter(String name) {
        return parameters.getOrDefault(name, "");
    }

    /** The first challenge of the given scheme. */
    static Optional<Challenge> find(List<Challenge> challenges, String scheme) {
        for (Challenge challenge : challenges) {
            if (challenge.scheme.equals(scheme)) {
                return Optional.of(challenge);
            }
        }
        return Optional.empty();
    }

    /** Reads all challenges of all header lines; what is malformed ends its line. */
    static List<Challenge> parse(List<String> headers) {
        List<Challenge> challenges = new ArrayList<>();
        for (String header : headers) {
            if (header.length() <= MAX_HEADER) {
                new Reader(header).readInto(challenges);
            }
        }
        return challenges;
    }

    private static final class Reader {
        private final String text;
        private int at;

        Reader(String text) {
            this.text = text;
        }

        void readInto(List<Challenge> challenges) {
            String word = token();
            while (!word.isEmpty()) {
                String scheme = word.toLowerCase(Locale.ROOT);
                Map<String, String> parameters = new LinkedHashMap<>();
                word = token();
                // A word followed by '=' is a parameter, any other begins the next challenge.
                while (!word.isEmpty() && peek() == '=') {
                    at++;
                    parameters.put(word.toLowerCase(Locale.ROOT), value());
                    word = token();
                }
                challenges.add(new Challenge(scheme, parameters));
            }
        }

        private char peek() {
            skip(" \t");
            return at < text.length() ? text.charAt(at) : '\0';
        }

        private void skip(String characters) {
            while (at < text.length() && characters.indexOf(text.charAt(at)) >= 0) {
                at++;
            }
        }

        private String token() {
            skip(" \t,");
            int start = at;
            while (at < text.length() && " \t,=\"".indexOf(text.charAt(at)) < 0) {
                at++;
            }
            return text.substring(start, at);
        }

        private String value() {
            if (peek() != '"') {
                int start = at;
                while (at < text.length() && " \t,".indexOf(text.charAt(at)) < 0) {
                    at++;
                }
                return text.substring(start, at);
            }
            at++;
            StringBuilder value = new StringBuilder();
            while (at < text.length() && text.charAt(at) != '"') {
                if (text.charAt(at) == '\\' && at + 1 < text.length()) {
                    at++;
                }
                value.append(text.charAt(at++));
            }
            at = Math.min(at + 1, text.length());
            return value.toString();
        }
    }
}
