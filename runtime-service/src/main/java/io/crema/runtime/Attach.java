package io.crema.runtime;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.AttachRequest;
import io.crema.oci.monitor.AttachedStreams;
import io.crema.oci.monitor.ContainerMonitor;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.PodException;
import io.crema.runtime.streaming.ByteSink;
import io.crema.runtime.streaming.DroppingSink;
import io.crema.runtime.streaming.ProcessStreams;
import io.crema.runtime.streaming.SinkReceiver;
import io.crema.runtime.streaming.TerminalSize;
import io.crema.runtime.streaming.WriterSink;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;

/** Connects clients to the streams of the first process of a container. */
final class Attach {
    private final NodeServices node;
    private final Inventory inventory;

    Attach(NodeServices node, Inventory inventory) {
        this.node = node;
        this.inventory = inventory;
    }

    Container check(AttachRequest request) {
        Container container = inventory.container(request.getContainerId());
        if (!container.state().isAlive()) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    "cannot attach to " + container + ": it has ended; read its log instead");
        }
        if (request.getStdin() && !container.config().getStdin()) {
            throw PodException.invalid(
                    "cannot attach stdin to "
                            + container
                            + ": it was created without stdin; attach without stdin, or create it"
                            + " with stdin: true");
        }
        return container;
    }

    ProcessStreams run(AttachRequest request, ByteSink stdout, ByteSink stderr) {
        Container container = check(request);
        Path bundle = node.layout().bundle(container.id());
        AttachedStreams attached =
                node.monitor()
                        .attach(
                                new ContainerMonitor.AttachRequest(
                                        container.id(),
                                        bundle,
                                        request.getStdin(),
                                        container.config().getStdinOnce() && !request.getStdin(),
                                        new SinkReceiver(
                                                request.getStdout()
                                                        ? stdout
                                                        : DroppingSink.INSTANCE),
                                        new SinkReceiver(
                                                request.getStderr()
                                                        ? stderr
                                                        : DroppingSink.INSTANCE)));
        return new Streams(attached, container.config().getTty(), bundle, stdout, stderr);
    }

    /** One client's connection. */
    private final class Streams implements ProcessStreams {
        private final AttachedStreams attached;
        private final boolean hasTerminal;
        private final Path bundle;
        private final CompletableFuture<Integer> end = new CompletableFuture<>();

        Streams(
                AttachedStreams attached,
                boolean hasTerminal,
                Path bundle,
                ByteSink stdout,
                ByteSink stderr) {
            this.attached = attached;
            this.hasTerminal = hasTerminal;
            this.bundle = bundle;
            var _ =
                    attached.over()
                            .whenComplete((done, failure) -> {
                                stdout.end();
                                stderr.end();
                                if (failure == null) {
                                    end.complete(0);
                                } else {
                                    end.completeExceptionally(failure);
                                }
                            });
        }

        @Override
        public ByteSink stdin() {
            return new WriterSink(attached.stdin());
        }

        @Override
        public void resize(TerminalSize size) {
            if (hasTerminal) {
                node.monitor().resizeTerminal(bundle, size.columns(), size.rows());
            }
        }

        @Override
        public void cancel() {
            end.completeExceptionally(
                    new PodException(ErrorKind.CANCELLED, "the attached client is gone"));
            attached.detach();
        }

        @Override
        public CompletableFuture<Integer> end() {
            return end.copy();
        }
    }
}
