package io.crema.runtime;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.ExecRequest;
import io.crema.oci.monitor.ContainerMonitor;
import io.crema.oci.monitor.ExecStreams;
import io.crema.oci.process.Receiver;
import io.crema.runtime.spec.ExecProcess;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerState;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.PodException;
import io.crema.runtime.streaming.ByteSink;
import io.crema.runtime.streaming.ProcessStreams;
import io.crema.runtime.streaming.SinkReceiver;
import io.crema.runtime.streaming.TerminalSize;
import io.crema.runtime.streaming.WriterSink;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/** Runs a command in a running container for a client that is connected to its streams. */
final class Exec {
    private final NodeServices node;
    private final Inventory inventory;
    private final StopContainer stop;

    Exec(NodeServices node, Inventory inventory, StopContainer stop) {
        this.node = node;
        this.inventory = inventory;
        this.stop = stop;
    }

    /** What every command in a container needs, with streams or without. */
    static Container check(
            Inventory inventory, StopContainer stop, String containerId, List<String> command) {
        Container container = inventory.container(containerId);
        if (command.isEmpty()) {
            throw PodException.invalid("cmd is empty; name the command to run");
        }
        if (!(container.state() instanceof ContainerState.Running)) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    "cannot run a command in " + container + ": it is not running");
        }
        if (stop.isKilling(container)) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    "cannot run a command in " + container + ": it is being killed");
        }
        return container;
    }

    /** The client will come to its streams soon. */
    void announce(ExecRequest request) {
        check(request);
        node.monitor().expectStart();
    }

    private Container check(ExecRequest request) {
        return check(inventory, stop, request.getContainerId(), request.getCmdList());
    }

    ProcessStreams run(
            ExecRequest request, Optional<TerminalSize> size, ByteSink stdout, ByteSink stderr) {
        Container container = check(request);
        Path bundle = node.layout().bundle(container.id());
        byte[] json = ExecProcess.json(bundle, request.getCmdList(), request.getTty());
        if (request.getTty() && size.isPresent()) {
            json = ExecProcess.withSize(json, size.get().columns(), size.get().rows());
        }
        boolean hasStderr = request.getStderr() && !request.getTty();
        return new Streams(
                node.monitor()
                        .exec(
                                new ContainerMonitor.ExecRequest(
                                        node.handlers().named(container.record().runtimeHandler()),
                                        container.id(),
                                        bundle,
                                        json,
                                        request.getTty(),
                                        request.getStdin(),
                                        receiver(request.getStdout(), stdout),
                                        receiver(hasStderr, stderr))),
                stdout,
                stderr);
    }

    private static Optional<Receiver> receiver(boolean wanted, ByteSink sink) {
        return wanted ? Optional.of(new SinkReceiver(sink)) : Optional.empty();
    }

    /** The streams of one such process. */
    private static final class Streams implements ProcessStreams {
        private final ExecStreams process;
        private final CompletableFuture<Integer> end;

        Streams(ExecStreams process, ByteSink stdout, ByteSink stderr) {
            this.process = process;
            this.end =
                    process.end()
                            .whenComplete((code, failure) -> {
                                stdout.end();
                                stderr.end();
                            });
        }

        @Override
        public ByteSink stdin() {
            return new WriterSink(process.stdin());
        }

        @Override
        public void resize(TerminalSize size) {
            process.resize(size.columns(), size.rows());
        }

        @Override
        public void cancel() {
            process.cancel();
        }

        @Override
        public CompletableFuture<Integer> end() {
            return end.copy();
        }
    }
}
