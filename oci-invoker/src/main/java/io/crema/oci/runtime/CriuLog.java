package io.crema.oci.runtime;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;

/** Finds the reason in a log of CRIU, to which OCI runtimes only point. */
public final class CriuLog {
    private static final int MOST_LINES = 3;
    private static final long MOST_BYTES = 16 << 20;

    private CriuLog() {}

    /** The last lines that tell errors, as the end of a message; empty when there are none. */
    public static String lastErrors(Path log) {
        Deque<String> errors = new ArrayDeque<>();
        try {
            if (Files.size(log) > MOST_BYTES) {
                return "; see " + log;
            }
            String text = new String(Files.readAllBytes(log), StandardCharsets.UTF_8);
            text.lines()
                    .forEach(line -> {
                        int start = line.indexOf("Error (");
                        if (start >= 0) {
                            errors.add(line.substring(start).strip());
                        }
                        if (errors.size() > MOST_LINES) {
                            errors.removeFirst();
                        }
                    });
        } catch (IOException e) {
            return "";
        }
        return errors.isEmpty() ? "" : "; CRIU: " + String.join("; ", errors);
    }
}
