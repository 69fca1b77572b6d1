package io.crema.server.streaming;

import io.crema.base.CremaException;
import io.crema.runtime.streaming.ByteSink;
import io.crema.runtime.streaming.ProcessStreams;
import io.crema.runtime.streaming.Streaming;
import io.crema.runtime.streaming.TerminalSize;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.ScheduledFuture;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An exec or attach between a client and a process, whatever the transport: starts it, hands window
 * sizes on, and tells the end. Of the event loop alone, but for opening, which may block.
 */
final class RemoteCommand {
    private static final Logger LOG = LoggerFactory.getLogger(RemoteCommand.class);

    private static final long FIRST_SIZE_MILLIS = 200;

    /** The client's end: one sink or source for each stream, and the end of it all. */
    interface Client {
        EventLoop eventLoop();

        Inlet stdin();

        ByteSink stdout();

        ByteSink stderr();

        ByteSink error();

        /** Everything was written. */
        void finish();
    }

    private final Streaming streaming;
    private final Ticket ticket;
    private final CommandProtocol protocol;
    private final Executor blocking;
    private final Client client;
    private @Nullable ProcessStreams process;
    private @Nullable TerminalSize size;
    private @Nullable ScheduledFuture<?> sizeLimit;
    private boolean isGone;

    RemoteCommand(
            Streaming streaming,
            Ticket ticket,
            CommandProtocol protocol,
            Executor blocking,
            Client client) {
        this.streaming = streaming;
        this.ticket = ticket;
        this.protocol = protocol;
        this.blocking = blocking;
        this.client = client;
    }

    /**
     * The streams are there: begins.
     *
     * @param isSizeToCome whether the client can send window sizes; the first one usually follows
     *     at once and is waited for a little, so that the process never sees a terminal without one
     */
    void start(boolean isSizeToCome) {
        if (isSizeToCome && size == null) {
            sizeLimit =
                    client.eventLoop()
                            .schedule(this::begin, FIRST_SIZE_MILLIS, TimeUnit.MILLISECONDS);
        } else {
            begin();
        }
    }

    private void begin() {
        sizeLimit = null;
        if (isGone) {
            return;
        }
        Optional<TerminalSize> first = Optional.ofNullable(size);
        blocking.execute(() -> {
            try {
                ProcessStreams opened = open(first);
                onLoop(() -> opened(opened), opened::cancel);
            } catch (RuntimeException | Error e) {
                onLoop(() -> over(failure(e)), () -> {});
            }
        });
    }

    private ProcessStreams open(Optional<TerminalSize> first) {
        return switch (ticket) {
            case Ticket.ForExec(var request) ->
                    streaming.exec(request, first, client.stdout(), client.stderr());
            case Ticket.ForAttach(var request) ->
                    streaming.attach(request, client.stdout(), client.stderr());
            case Ticket.ForPortForward _ ->
                    throw new IllegalStateException("a port-forward is no command");
        };
    }

    private void opened(ProcessStreams opened) {
        process = opened;
        if (isGone) {
            opened.cancel();
            return;
        }
        if (size != null) {
            opened.resize(size);
        }
        client.stdin().attach(opened.stdin());
        var _ =
                opened.end()
                        .whenComplete((code, failure) -> {
                            CommandStatus status =
                                    failure == null ? CommandStatus.exited(code) : failure(failure);
                            onLoop(() -> over(status), () -> {});
                        });
    }

    private CommandStatus failure(Throwable thrown) {
        Throwable cause =
                thrown instanceof CompletionException && thrown.getCause() != null
                        ? thrown.getCause()
                        : thrown;
        if (!(cause instanceof CremaException)) {
            LOG.atError()
                    .addKeyValue("stream", ticket.word())
                    .setCause(cause)
                    .log("internal error in a stream");
        }
        String what =
                ticket instanceof Ticket.ForAttach
                        ? "error attaching to container: "
                        : "error executing command in container: ";
        return CommandStatus.failed(what + cause.getMessage());
    }

    /** Outputs were ended before; then the status, then the connection. */
    private void over(CommandStatus status) {
        if (isGone) {
            return;
        }
        isGone = true;
        client.stdin().close();
        client.stdout().end();
        client.stderr().end();
        byte[] words = protocol.hasStatusObject() ? status.json() : status.text();
        if (words.length > 0) {
            var _ = client.error().write(ByteBuffer.wrap(words));
        }
        client.error().end();
        client.finish();
    }

    void resize(TerminalSize latest) {
        size = latest;
        if (sizeLimit != null && sizeLimit.cancel(false)) {
            begin();
        }
        if (process != null) {
            process.resize(latest);
        }
    }

    /** The client left: an exec is killed, an attach detached. */
    void gone() {
        if (!isGone) {
            isGone = true;
            if (process != null) {
                process.cancel();
            }
        }
    }

    private void onLoop(Runnable task, Runnable instead) {
        try {
            client.eventLoop().execute(task);
        } catch (RejectedExecutionException e) {
            // The server was closed and all connections with it.
            instead.run();
        }
    }
}
