package io.crema.conf;

import java.time.Duration;

/**
 * Durations as Go writes them, the form that CRI-O's files use: {@code 1h30m}, {@code 2.5s}, {@code
 * 300ms}, {@code 0}.
 */
final class GoDuration {
    private GoDuration() {}

    /**
     * @throws IllegalArgumentException when the text is not a duration
     */
    static Duration parse(String text) {
        if (text.equals("0")) {
            return Duration.ZERO;
        }
        boolean negative = text.startsWith("-");
        int at = negative || text.startsWith("+") ? 1 : 0;
        if (at == text.length()) {
            throw notADuration(text);
        }
        double nanos = 0;
        while (at < text.length()) {
            int unitAt = at;
            while (unitAt < text.length() && isNumeric(text.charAt(unitAt))) {
                unitAt++;
            }
            int next = unitAt;
            while (next < text.length() && !isNumeric(text.charAt(next))) {
                next++;
            }
            try {
                nanos +=
                        Double.parseDouble(text.substring(at, unitAt))
                                * nanosOf(text.substring(unitAt, next), text);
            } catch (NumberFormatException e) {
                throw notADuration(text);
            }
            at = next;
        }
        if (nanos > Long.MAX_VALUE) {
            throw new IllegalArgumentException("the duration '" + text + "' is too long");
        }
        return Duration.ofNanos(Math.round(negative ? -nanos : nanos));
    }

    private static boolean isNumeric(char c) {
        return (c >= '0' && c <= '9') || c == '.';
    }

    private static double nanosOf(String unit, String text) {
        return switch (unit) {
            case "ns" -> 1;
            case "us", "µs", "μs" -> 1e3;
            case "ms" -> 1e6;
            case "s" -> 1e9;
            case "m" -> 60e9;
            case "h" -> 3600e9;
            default -> throw notADuration(text);
        };
    }

    private static IllegalArgumentException notADuration(String text) {
        return new IllegalArgumentException(
                "'" + text + "' is not a duration such as \"10s\", \"1m30s\" or \"500ms\"");
    }

    static String format(Duration duration) {
        if (duration.isZero()) {
            return "0s";
        }
        if (duration.isNegative()) {
            return "-" + format(duration.negated());
        }
        StringBuilder text = new StringBuilder();
        append(text, duration.toHours(), "h");
        append(text, duration.toMinutesPart(), "m");
        append(text, duration.toSecondsPart(), "s");
        int nanos = duration.toNanosPart();
        append(text, nanos / 1_000_000, "ms");
        append(text, nanos / 1_000 % 1_000, "us");
        append(text, nanos % 1_000, "ns");
        return text.toString();
    }

    private static void append(StringBuilder text, long amount, String unit) {
        if (amount != 0) {
            text.append(amount).append(unit);
        }
    }
}
