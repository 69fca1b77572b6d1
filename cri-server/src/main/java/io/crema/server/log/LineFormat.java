package io.crema.server.log;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import org.jspecify.annotations.Nullable;

/**
 * The text of one log record: {@code time=… level=… logger=… msg=… key=value …}, one line. Values
 * that would be ambiguous are quoted with Go's escapes, so that logfmt parsers read them. A stack
 * trace follows on lines of its own that begin with a tab.
 */
final class LineFormat {
    private LineFormat() {}

    /** UTC with milliseconds, written digit by digit: a DateTimeFormatter costs start-up time. */
    static void appendTime(StringBuilder out, Instant instant) {
        LocalDateTime time =
                LocalDateTime.ofEpochSecond(
                        instant.getEpochSecond(), instant.getNano(), ZoneOffset.UTC);
        appendDigits(out, time.getYear(), 4);
        out.append('-');
        appendDigits(out, time.getMonthValue(), 2);
        out.append('-');
        appendDigits(out, time.getDayOfMonth(), 2);
        out.append('T');
        appendDigits(out, time.getHour(), 2);
        out.append(':');
        appendDigits(out, time.getMinute(), 2);
        out.append(':');
        appendDigits(out, time.getSecond(), 2);
        out.append('.');
        appendDigits(out, time.getNano() / 1_000_000, 3);
        out.append('Z');
    }

    static void appendPair(StringBuilder out, String key, @Nullable Object value) {
        if (!out.isEmpty()) {
            out.append(' ');
        }
        out.append(key).append('=');
        appendValue(out, String.valueOf(value));
    }

    static void appendStackTrace(StringBuilder out, Throwable thrown) {
        StringWriter text = new StringWriter();
        thrown.printStackTrace(new PrintWriter(text));
        text.toString().lines().forEach(line -> out.append("\n\t").append(line));
    }

    private static void appendValue(StringBuilder out, String value) {
        if (!needsQuotes(value)) {
            out.append(value);
            return;
        }
        out.append('"');
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                default -> {
                    if (c < ' ' || c == 0x7f) {
                        out.append("\\x");
                        out.append(Character.forDigit(c >> 4, 16));
                        out.append(Character.forDigit(c & 15, 16));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append('"');
    }

    private static boolean needsQuotes(String value) {
        if (value.isEmpty()) {
            return true;
        }
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) {
                return true;
            }
        }
        return false;
    }

    private static void appendDigits(StringBuilder out, int number, int width) {
        for (int scale = power(width - 1); scale > 0; scale /= 10) {
            out.append((char) ('0' + number / scale % 10));
        }
    }

    private static int power(int exponent) {
        int result = 1;
        for (int i = 0; i < exponent; i++) {
            result *= 10;
        }
        return result;
    }
}
