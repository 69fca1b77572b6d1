package io.crema.e2e.node;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * The real crictl ({@code -Dcrema.crictl=PATH}) with a client of a stream: it runs in the node's
 * network namespace, where the streaming server listens on loopback.
 */
public final class Crictl implements AutoCloseable {
    private static final long SECONDS = 60;

    private final List<String> command;
    private final Process process;
    private final ByteArrayOutputStream output = new ByteArrayOutputStream();
    private final ByteArrayOutputStream errors = new ByteArrayOutputStream();
    private final List<Thread> readers;

    private Crictl(List<String> command) {
        this.command = command;
        try {
            this.process = new ProcessBuilder(command).start();
        } catch (IOException e) {
            throw new UncheckedIOException("cannot run " + command, e);
        }
        this.readers =
                List.of(
                        collect(process.getInputStream(), output),
                        collect(process.getErrorStream(), errors));
    }

    /** Starts crictl with this sub-command. */
    public static Crictl start(TestNode node, String... arguments) {
        return new Crictl(node.network().enter(command(node, arguments)));
    }

    /** Starts crictl at a terminal of this size. */
    public static Crictl atTerminal(TestNode node, int columns, int rows, String... arguments) {
        String line =
                "stty cols "
                        + columns
                        + " rows "
                        + rows
                        + "; exec '"
                        + String.join("' '", command(node, arguments))
                        + "'";
        return new Crictl(node.network().enter(List.of("script", "-qec", line, "/dev/null")));
    }

    private static List<String> command(TestNode node, String... arguments) {
        List<String> command =
                new ArrayList<>(
                        List.of(
                                System.getProperty("crema.crictl", "crictl"),
                                "--config",
                                "/dev/null",
                                "--timeout",
                                "60s",
                                "-r",
                                "unix://" + node.socket(),
                                "-i",
                                "unix://" + node.socket()));
        command.addAll(Arrays.asList(arguments));
        return command;
    }

    private static Thread collect(InputStream from, ByteArrayOutputStream to) {
        return Thread.ofVirtual()
                .start(() -> {
                    byte[] block = new byte[16 << 10];
                    try (from) {
                        for (int n = from.read(block); n >= 0; n = from.read(block)) {
                            to.write(block, 0, n);
                        }
                    } catch (IOException e) {
                        // Closed under it: what came until now counts.
                    }
                });
    }

    public void type(String text) {
        send(text.getBytes(StandardCharsets.UTF_8));
    }

    public void send(byte[] bytes) {
        try {
            OutputStream stdin = process.getOutputStream();
            stdin.write(bytes);
            stdin.flush();
        } catch (IOException e) {
            throw new UncheckedIOException(command + ": " + errors(), e);
        }
    }

    public void endInput() {
        try {
            process.getOutputStream().close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    public byte[] bytes() {
        return output.toByteArray();
    }

    public String output() {
        return output.toString(StandardCharsets.UTF_8);
    }

    public String errors() {
        return errors.toString(StandardCharsets.UTF_8);
    }

    /** Waits until the output contains a text. */
    public void await(String text) {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(SECONDS);
        while (!output().contains(text)) {
            boolean isOver = !process.isAlive() && !output().contains(text);
            if (isOver || System.nanoTime() > end) {
                throw new AssertionError(
                        "never came: " + text + "; but: " + output() + "; and: " + errors());
            }
            pause();
        }
    }

    /** Waits for its end. */
    public int exitCode() {
        try {
            if (!process.waitFor(SECONDS, TimeUnit.SECONDS)) {
                throw new AssertionError(command + " did not end: " + output() + errors());
            }
            for (Thread reader : readers) {
                reader.join();
            }
            return process.exitValue();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    /** Ends it at once, as when a laptop is closed. */
    public void kill() {
        process.destroyForcibly();
    }

    /** Lets it take no more input and output. */
    public void suspend() {
        Shell.run("kill", "-STOP", Long.toString(process.pid()));
    }

    public void resume() {
        Shell.run("kill", "-CONT", Long.toString(process.pid()));
    }

    private static void pause() {
        try {
            TimeUnit.MILLISECONDS.sleep(5);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() {
        process.destroyForcibly();
        exitCode();
    }
}
