package io.crema.e2e.node;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** Runs commands to their end. */
public final class Shell {
    private static final long SECONDS = 300;
    private static final Duration LAST_OUTPUT = Duration.ofSeconds(5);

    private Shell() {}

    /** How a command ended; stdout and stderr are one text. */
    public record Result(int exitCode, String output) {}

    /** Runs a command, whatever its exit code. */
    public static Result result(List<String> command) {
        try {
            Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
            process.getOutputStream().close();
            ByteArrayOutputStream output = new ByteArrayOutputStream();
            Thread reader =
                    Thread.ofVirtual()
                            .start(() -> {
                                try (InputStream in = process.getInputStream()) {
                                    in.transferTo(output);
                                } catch (IOException e) {
                                    // Closed under it: what came until now counts.
                                }
                            });
            boolean ended = process.waitFor(SECONDS, TimeUnit.SECONDS);
            if (!ended) {
                process.destroyForcibly();
            }
            // Something it started may hold its output open for longer than itself.
            reader.join(LAST_OUTPUT);
            String text = output.toString(StandardCharsets.UTF_8);
            if (!ended) {
                throw new IllegalStateException(command + " did not end: " + text);
            }
            return new Result(process.exitValue(), text);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot run " + command, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    /**
     * Runs a command that must succeed.
     *
     * @return its output
     */
    public static String run(List<String> command) {
        Result result = result(command);
        if (result.exitCode() != 0) {
            throw new IllegalStateException(
                    command + " failed with " + result.exitCode() + ": " + result.output());
        }
        return result.output();
    }

    public static String run(String... command) {
        return run(List.of(command));
    }
}
