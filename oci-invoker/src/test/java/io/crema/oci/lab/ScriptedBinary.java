package io.crema.oci.lab;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;

/**
 * A shell script that stands in for an OCI runtime or for conmon and does what a test plans, call
 * by call: fail, hang, print garbage, or go on as the real thing would. Plans are lines of shell
 * that run before the script's own work; {@code fail TEXT}, {@code hang}, {@code report LINE} (to
 * conmon's sync pipe) and {@code await_start} are there for them, see the scripts.
 */
public final class ScriptedBinary {
    private final Path directory;
    private final Path executable;

    private ScriptedBinary(Path directory, Path executable) {
        this.directory = directory;
        this.executable = executable;
    }

    /**
     * A runtime that keeps containers as plain processes, so that it works without root.
     *
     * @param directory new, of its own
     */
    public static ScriptedBinary runtime(Path directory) throws IOException {
        return install(directory, "scripted-runtime.sh");
    }

    /** A conmon without the real one: every call must be planned to its end. */
    public static ScriptedBinary conmon(Path directory) throws IOException {
        return install(directory, "scripted-conmon.sh");
    }

    /** A conmon that becomes the real one where nothing else is planned. */
    public static ScriptedBinary conmon(Path directory, Path real) throws IOException {
        ScriptedBinary conmon = conmon(directory);
        Files.writeString(directory.resolve("real"), real.toString());
        return conmon;
    }

    private static ScriptedBinary install(Path directory, String resource) throws IOException {
        Files.createDirectories(directory.resolve("plan"));
        Path executable = directory.resolve(resource.replace(".sh", ""));
        try (InputStream script = ScriptedBinary.class.getResourceAsStream(resource)) {
            if (script == null) {
                throw new IllegalStateException("no resource " + resource);
            }
            Files.copy(script, executable);
        }
        Files.setPosixFilePermissions(executable, PosixFilePermissions.fromString("rwxr-xr-x"));
        return new ScriptedBinary(directory, executable);
    }

    public Path executable() {
        return executable;
    }

    /** Plans the n-th call of a verb ("create", "start", "exec" …), counted from 1. */
    public ScriptedBinary onCall(int number, String verb, String shell) throws IOException {
        return plan(verb + "." + number, shell);
    }

    /** Plans every call of a verb. */
    public ScriptedBinary always(String verb, String shell) throws IOException {
        return plan(verb, shell);
    }

    /** Plans what a scripted runtime's containers do once started. */
    public ScriptedBinary container(String shell) throws IOException {
        return plan("container", shell);
    }

    /** Plans what the processes do that a scripted runtime runs in containers. */
    public ScriptedBinary process(String shell) throws IOException {
        return plan("process", shell);
    }

    private ScriptedBinary plan(String name, String shell) throws IOException {
        Files.writeString(directory.resolve("plan").resolve(name), shell + "\n");
        return this;
    }

    /** The arguments of each call of a verb so far. */
    public List<String> calls(String verb) throws IOException {
        try {
            return Files.readAllLines(directory.resolve("calls").resolve(verb));
        } catch (NoSuchFileException e) {
            return List.of();
        }
    }
}
