package io.crema.oci.runtime;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxProcesses;
import io.crema.oci.process.Commands;
import io.crema.oci.process.Commands.Command;
import io.crema.oci.process.Commands.Outcome;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * An OCI runtime called by its command line: runc, crun or youki. Errors are read from standard
 * error, to which all three write JSON lines when told {@code --log-format json}; no log file is
 * needed, because nothing of a container ever writes to the standard error of these operations.
 */
public final class CommandLineRuntime implements OciRuntime {
    private static final int MAX_OUTPUT_BYTES = 64 * 1024;
    private static final Duration FEATURES_LIMIT = Duration.ofSeconds(10);
    private static final int DELETE_ATTEMPTS = 10;
    private static final Duration DELETE_PAUSE = Duration.ofMillis(50);
    private static final int FIRST_REAL_TIME_SIGNAL = 32;

    private final String name;
    private final Path executable;
    private final Path root;
    private final RuntimeDialect dialect;
    private final Commands commands;
    private final LinuxProcesses processes;
    private final SealedBinary sealed;
    private @Nullable RuntimeFeatures features; // guarded by this

    /**
     * @param name the handler's name in the configuration
     * @param executable absolute path
     * @param root the runtime's own state directory, made by the runtime when it is missing
     */
    public CommandLineRuntime(
            String name, Path executable, Path root, Commands commands, Linux linux) {
        this.name = name;
        this.executable = executable;
        this.root = root;
        this.dialect = RuntimeDialect.of(executable);
        this.commands = commands;
        this.processes = linux;
        this.sealed = new SealedBinary(linux, executable);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Path executable() {
        return executable;
    }

    @Override
    public Path command() {
        return sealed.path();
    }

    @Override
    public Path root() {
        return root;
    }

    @Override
    public void start(ContainerId container, Deadline deadline) {
        RuntimeOperation operation = new RuntimeOperation.Start(container);
        Outcome outcome = run(operation, new byte[0], deadline);
        if (!outcome.exit().isSuccess()) {
            throw failure(operation, container, outcome);
        }
    }

    @Override
    public Optional<State> state(ContainerId container, Deadline deadline) {
        RuntimeOperation operation = new RuntimeOperation.State(container);
        Outcome outcome = run(operation, new byte[0], deadline);
        if (outcome.exit().isSuccess()) {
            return Optional.of(parseState(container, outcome.stdoutText()));
        }
        if (RuntimeErrorText.saysNoSuchContainer(errorOf(outcome), container)) {
            return Optional.empty();
        }
        throw failure(operation, container, outcome);
    }

    @Override
    public boolean kill(ContainerId container, int signal, boolean all, Deadline deadline) {
        RuntimeOperation operation = new RuntimeOperation.Kill(container, signal, all);
        if (signal >= FIRST_REAL_TIME_SIGNAL && !dialect.sendsRealTimeSignals()) {
            return killDirectly(container, signal, all, deadline);
        }
        Outcome outcome = run(operation, new byte[0], deadline);
        if (outcome.exit().isSuccess()) {
            return true;
        }
        String error = errorOf(outcome);
        if (RuntimeErrorText.saysNoSuchContainer(error, container)
                || RuntimeErrorText.saysNotRunning(error)) {
            return false;
        }
        throw failure(operation, container, outcome);
    }

    /** A stop signal such as systemd's SIGRTMIN+3 must arrive also where the runtime refuses it. */
    private boolean killDirectly(
            ContainerId container, int signal, boolean all, Deadline deadline) {
        if (all) {
            throw new OciRuntimeException(
                    ErrorKind.UNIMPLEMENTED,
                    described("kill", container)
                            + " failed: this runtime cannot send real-time signal "
                            + signal
                            + " to all processes; use a signal below "
                            + FIRST_REAL_TIME_SIGNAL);
        }
        Optional<State> state = state(container, deadline);
        return state.isPresent()
                && !state.get().status().equals("stopped")
                && state.get().pid() > 1
                && processes.kill(state.get().pid(), signal);
    }

    /**
     * youki's forced delete gives up when the killed processes take their time to end, as they do
     * on a busy machine; nothing is lost by asking again.
     */
    @Override
    public void delete(ContainerId container, boolean force, Deadline deadline) {
        RuntimeOperation operation = new RuntimeOperation.Delete(container, force);
        Outcome outcome = run(operation, new byte[0], deadline);
        for (int again = 0; again < DELETE_ATTEMPTS && isTooEarly(outcome); again++) {
            pause(container);
            outcome = run(operation, new byte[0], deadline);
        }
        if (!outcome.exit().isSuccess()
                && !RuntimeErrorText.saysNoSuchContainer(errorOf(outcome), container)) {
            throw failure(operation, container, outcome);
        }
    }

    private static boolean isTooEarly(Outcome outcome) {
        return !outcome.exit().isSuccess() && RuntimeErrorText.saysCgroupIsBusy(errorOf(outcome));
    }

    private void pause(ContainerId container) {
        try {
            Thread.sleep(DELETE_PAUSE);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new OciRuntimeException(
                    ErrorKind.CANCELLED,
                    described("delete", container) + ": the caller went away",
                    e);
        }
    }

    @Override
    public void update(ContainerId container, byte[] resourcesJson, Deadline deadline) {
        RuntimeOperation operation = new RuntimeOperation.Update(container);
        Outcome outcome = run(operation, resourcesJson, deadline);
        if (!outcome.exit().isSuccess()) {
            throw failure(operation, container, outcome);
        }
    }

    @Override
    public void pause(ContainerId container, Deadline deadline) {
        mustSucceed(new RuntimeOperation.Pause(container), container, deadline);
    }

    @Override
    public void resume(ContainerId container, Deadline deadline) {
        mustSucceed(new RuntimeOperation.Resume(container), container, deadline);
    }

    @Override
    public void checkpoint(ContainerId container, CheckpointPlaces places, Deadline deadline) {
        RuntimeOperation operation = new RuntimeOperation.Checkpoint(container, places);
        Outcome outcome = run(operation, new byte[0], deadline);
        if (!outcome.exit().isSuccess()) {
            OciRuntimeException failure = failure(operation, container, outcome);
            throw new OciRuntimeException(
                    failure.kind(),
                    failure.getMessage() + CriuLog.lastErrors(places.work().resolve("dump.log")));
        }
    }

    private void mustSucceed(RuntimeOperation operation, ContainerId container, Deadline deadline) {
        Outcome outcome = run(operation, new byte[0], deadline);
        if (!outcome.exit().isSuccess()) {
            throw failure(operation, container, outcome);
        }
    }

    @Override
    public synchronized RuntimeFeatures features() {
        RuntimeFeatures known = features;
        if (known == null) {
            known = askFeatures(Deadline.after(FEATURES_LIMIT));
            features = known;
        }
        return known;
    }

    private RuntimeFeatures askFeatures(Deadline deadline) {
        Outcome outcome = run(new RuntimeOperation.Version(), new byte[0], deadline);
        String output = outcome.exit().isSuccess() ? outcome.stdoutText().strip() : "";
        int end = output.indexOf('\n');
        String version = end < 0 ? output : output.substring(0, end);
        Outcome answer = run(new RuntimeOperation.Features(), new byte[0], deadline);
        if (!answer.exit().isSuccess()) {
            return RuntimeFeatures.unknown(version);
        }
        return RuntimeFeatures.parse(answer.stdoutText(), version)
                .orElseGet(() -> RuntimeFeatures.unknown(version));
    }

    private Outcome run(RuntimeOperation operation, byte[] input, Deadline deadline) {
        List<String> arguments = new ArrayList<>();
        arguments.add("--root=" + root);
        arguments.add("--log-format=json");
        arguments.addAll(operation.arguments());
        Command command =
                new Command(
                        executable, arguments, RuntimeEnvironment.own(), input, MAX_OUTPUT_BYTES);
        try {
            return commands.run(command, deadline);
        } catch (LinuxException e) {
            throw new OciRuntimeException(
                    ErrorKind.FAILED_PRECONDITION,
                    "OCI runtime '"
                            + name
                            + "' cannot run "
                            + executable
                            + " for '"
                            + operation.verb()
                            + "': "
                            + e.errno().message()
                            + "; install it or correct runtime_path of this handler",
                    e);
        }
    }

    private State parseState(ContainerId container, String json) {
        try {
            JsonNode state = RuntimeJson.READER.readTree(json);
            if (state.path("status").isTextual()) {
                return new State(
                        state.path("ociVersion").asText(),
                        state.path("status").asText(),
                        state.path("pid").asInt(),
                        Path.of(state.path("bundle").asText()));
            }
        } catch (JsonProcessingException e) {
            throw unreadableState(container, e);
        }
        throw unreadableState(container, null);
    }

    private OciRuntimeException unreadableState(
            ContainerId container, @Nullable JsonProcessingException cause) {
        return new OciRuntimeException(
                ErrorKind.INTERNAL,
                described("state", container) + " failed: its answer is not a state in JSON",
                cause);
    }

    private OciRuntimeException failure(
            RuntimeOperation operation, ContainerId container, Outcome outcome) {
        RuntimeFailure failure = RuntimeFailure.of(errorOf(outcome), container);
        return new OciRuntimeException(
                failure.kind(),
                described(operation.verb(), container) + " failed: " + failure.text());
    }

    private String described(String verb, ContainerId container) {
        return "OCI runtime '"
                + name
                + "' ("
                + executable
                + "): "
                + verb
                + " of container "
                + container.value();
    }

    private static String errorOf(Outcome outcome) {
        return RuntimeErrorText.last(outcome.stderrText())
                .orElseGet(() ->
                        "it said nothing and ended with exit code " + outcome.exit().shellCode());
    }
}
