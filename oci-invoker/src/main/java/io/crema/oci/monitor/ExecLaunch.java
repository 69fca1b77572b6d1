package io.crema.oci.monitor;

import io.crema.base.ContainerId;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxProcesses.ExitStatus;
import io.crema.oci.linux.LinuxProcesses.SpawnRequest;
import io.crema.oci.process.Child;
import io.crema.oci.process.Children;
import io.crema.oci.runtime.OciRuntime;
import io.crema.oci.runtime.OciRuntimeException;
import io.crema.oci.runtime.RuntimeEnvironment;
import io.crema.oci.runtime.RuntimeErrorText;
import io.crema.oci.runtime.RuntimeFailure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * One start of a process in a container by the OCI runtime, which detaches it, with the files that
 * takes. They lie in the bundle, which is not readable by others, and go with {@link #close}.
 */
final class ExecLaunch implements AutoCloseable {
    private final OciRuntime runtime;
    private final ContainerId container;
    private final Path bundle;
    private final String name;

    /**
     * @param name of this start, unique in the bundle
     */
    ExecLaunch(OciRuntime runtime, ContainerId container, Path bundle, String name) {
        this.runtime = runtime;
        this.container = container;
        this.bundle = bundle;
        this.name = name;
    }

    /** Where the runtime is to send the terminal to; made by the caller. */
    Path consoleSocket() {
        return bundle.resolve(consoleName());
    }

    private String consoleName() {
        return name + ".tty";
    }

    /** Environment variables may be secret. */
    void writeProcess(byte[] processJson) throws IOException {
        Path file = file(".json");
        Files.createFile(
                file,
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.write(file, processJson, StandardOpenOption.WRITE);
    }

    /** Starts the runtime, whose standard streams become those of the process. */
    Child start(Children children, Map<Integer, Descriptor> streams, boolean terminal) {
        List<String> arguments = new ArrayList<>(16);
        arguments.add(runtime.executable().toString());
        arguments.addAll(runtime.globalArguments(file(".log")));
        arguments.addAll(
                List.of(
                        "exec",
                        "--detach",
                        "--pid-file",
                        file(".pid").toString(),
                        "--process",
                        file(".json").toString()));
        if (terminal) {
            // Relative to the bundle, since the path of a socket must be short.
            arguments.addAll(List.of("--console-socket", consoleName()));
        }
        arguments.add(container.value());
        try {
            return children.start(
                    new SpawnRequest(
                            runtime.command(),
                            arguments,
                            RuntimeEnvironment.own(),
                            streams,
                            true,
                            Optional.of(bundle)));
        } catch (LinuxException e) {
            throw new OciRuntimeException(
                    ErrorKind.FAILED_PRECONDITION,
                    "OCI runtime '"
                            + runtime.name()
                            + "' cannot run "
                            + runtime.executable()
                            + " for 'exec': "
                            + e.errno().message()
                            + "; install it or correct runtime_path of this handler",
                    e);
        }
    }

    /** Of the started process; empty when the runtime has not told it. */
    OptionalInt pid() {
        try {
            return OptionalInt.of(Integer.parseInt(Files.readString(file(".pid")).strip()));
        } catch (IOException | NumberFormatException e) {
            return OptionalInt.empty();
        }
    }

    /**
     * The runtime's own words on why it could not.
     *
     * @param said on its standard error, which counts where its log is silent
     */
    OciRuntimeException failure(ExitStatus exit, String said) {
        String error =
                RuntimeErrorText.last(log())
                        .or(() -> RuntimeErrorText.last(said))
                        .orElseGet(() ->
                                exit.isSuccess()
                                        ? "it told no process id"
                                        : "it ended without a word, with exit code "
                                                + exit.shellCode());
        RuntimeFailure failure = RuntimeFailure.of(error, container);
        return new OciRuntimeException(
                failure.kind(),
                "OCI runtime '"
                        + runtime.name()
                        + "' ("
                        + runtime.executable()
                        + "): exec in container "
                        + container
                        + " failed: "
                        + failure.text());
    }

    private String log() {
        try {
            return Files.readString(file(".log"));
        } catch (IOException e) {
            return "";
        }
    }

    private Path file(String ending) {
        return bundle.resolve(name + ending);
    }

    @Override
    public void close() throws IOException {
        for (String ending : new String[] {".json", ".pid", ".log", ".tty"}) {
            Files.deleteIfExists(file(ending));
        }
    }
}
