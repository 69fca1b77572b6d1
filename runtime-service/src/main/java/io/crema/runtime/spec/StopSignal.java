package io.crema.runtime.spec;

import io.crema.cri.v1.Signal;
import io.crema.runtime.state.PodException;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/**
 * The signal that asks a container to end: the request's, else the image's, else SIGTERM.
 *
 * @param signal as the CRI counts them
 * @param number as Linux counts them on all architectures but mips, sparc and alpha
 */
public record StopSignal(Signal signal, int number) {
    private static final String PREFIX = "SIGNAL_SIG";
    private static final int FIRST_REAL_TIME = 34; // 32 and 33 belong to the C library
    private static final int LAST_REAL_TIME = 64;

    private static final Map<String, Integer> NUMBERS = numbers();
    private static final Map<Signal, Integer> BY_SIGNAL = bySignal();
    private static final StopSignal TERMINATE = new StopSignal(Signal.SIGNAL_SIGTERM, 15);

    /**
     * @param requested SIGNAL_RUNTIME_DEFAULT to leave it to the image
     * @param ofImage a name with or without SIG, or a number; empty to leave it to us
     */
    public static StopSignal choose(Signal requested, String ofImage) {
        if (requested == Signal.UNRECOGNIZED) {
            throw PodException.invalid("stop_signal: this value is unknown");
        }
        if (requested != Signal.SIGNAL_RUNTIME_DEFAULT) {
            return new StopSignal(requested, numberOf(requested));
        }
        String text = ofImage.strip();
        return text.isEmpty() ? TERMINATE : parse(text);
    }

    /** The number on Linux of a signal of the CRI. */
    public static int numberOf(Signal signal) {
        Integer number = BY_SIGNAL.get(signal);
        if (number == null) {
            throw PodException.invalid("stop_signal: " + signal + " is no signal of Linux");
        }
        return number;
    }

    private static StopSignal parse(String text) {
        Integer number;
        if (Character.isDigit(text.charAt(0))) {
            try {
                number = Integer.valueOf(text);
            } catch (NumberFormatException e) {
                number = -1;
            }
        } else {
            String name = text.toUpperCase(Locale.ROOT);
            number = NUMBERS.get(name.startsWith("SIG") ? name.substring(3) : name);
        }
        if (number != null) {
            for (Map.Entry<String, Integer> entry : NUMBERS.entrySet()) {
                if (entry.getValue().equals(number)) {
                    return new StopSignal(signalOf(number), number);
                }
            }
        }
        throw PodException.invalid(
                "the image's stop signal '" + text + "' is no signal of Linux; set stop_signal");
    }

    // Several names share a number; the first that the CRI lists is taken, with its usual name
    // (SIGABRT before SIGIOT, SIGCHLD before SIGCLD, SIGIO before SIGPOLL).
    private static Signal signalOf(int number) {
        for (Signal signal : Signal.values()) {
            Integer candidate = BY_SIGNAL.get(signal);
            if (candidate != null && candidate == number) {
                return signal;
            }
        }
        throw new IllegalStateException("no CRI signal has the number " + number);
    }

    private static Map<Signal, Integer> bySignal() {
        Map<Signal, Integer> map = new HashMap<>();
        for (Signal signal : Signal.values()) {
            if (signal.name().startsWith(PREFIX)) {
                String name =
                        signal.name()
                                .substring(PREFIX.length())
                                .replace("PLUS", "+")
                                .replace("MINUS", "-");
                Integer number = NUMBERS.get(name);
                if (number == null) {
                    throw new IllegalStateException("no number for " + signal);
                }
                map.put(signal, number);
            }
        }
        return map;
    }

    private static Map<String, Integer> numbers() {
        Map<String, Integer> map = new HashMap<>();
        String[] inOrder = {
            "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV",
            "USR2", "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN",
            "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS"
        };
        for (int i = 0; i < inOrder.length; i++) {
            map.put(inOrder[i], i + 1);
        }
        map.put("IOT", map.get("ABRT"));
        map.put("CLD", map.get("CHLD"));
        map.put("POLL", map.get("IO"));
        map.put("RTMIN", FIRST_REAL_TIME);
        map.put("RTMAX", LAST_REAL_TIME);
        int span = LAST_REAL_TIME - FIRST_REAL_TIME;
        for (int offset = 1; offset <= span / 2; offset++) {
            map.put("RTMIN+" + offset, FIRST_REAL_TIME + offset);
        }
        for (int offset = 1; offset < span / 2; offset++) {
            map.put("RTMAX-" + offset, LAST_REAL_TIME - offset);
        }
        return map;
    }
}
