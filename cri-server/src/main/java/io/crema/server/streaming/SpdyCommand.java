package io.crema.server.streaming;

import io.crema.runtime.streaming.ByteSink;
import io.crema.runtime.streaming.DroppingSink;
import io.crema.runtime.streaming.Streaming;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.ScheduledFuture;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** Exec and attach over SPDY: waits for the streams that the request asks for, then begins. */
final class SpdyCommand implements SpdySession.Purpose, RemoteCommand.Client {
    private final Set<StreamChannel> expected;
    private final Duration creationTimeout;
    private final RemoteCommand command;
    private final Map<StreamChannel, SpdyStream> streams = new EnumMap<>(StreamChannel.class);
    private SpdySession session;
    private @Nullable ScheduledFuture<?> creation;

    @SuppressWarnings("NullAway.Init") // the session is set by begin
    SpdyCommand(
            Streaming streaming,
            Ticket ticket,
            CommandProtocol protocol,
            Executor blocking,
            Duration creationTimeout) {
        this.expected = expected(ticket, protocol);
        this.creationTimeout = creationTimeout;
        this.command = new RemoteCommand(streaming, ticket, protocol, blocking, this);
    }

    private static Set<StreamChannel> expected(Ticket ticket, CommandProtocol protocol) {
        Set<StreamChannel> channels = StreamChannel.wantedBy(ticket);
        if (!protocol.hasResizeStream()) {
            channels.remove(StreamChannel.RESIZE);
        }
        return channels;
    }

    @Override
    public void begin(SpdySession begun) {
        session = begun;
        creation =
                eventLoop()
                        .schedule(
                                () ->
                                        session.fail(
                                                "timed out waiting for the streams "
                                                        + expected
                                                        + "; the client opened "
                                                        + streams.keySet()),
                                creationTimeout.toMillis(),
                                TimeUnit.MILLISECONDS);
    }

    @Override
    public void opened(SpdyStream stream) {
        String word = stream.header("streamtype");
        StreamChannel channel = word == null ? null : StreamChannel.named(word).orElse(null);
        if (channel == null || !expected.contains(channel) || streams.containsKey(channel)) {
            session.refuse(stream, "streamtype '" + word + "' is not expected");
            return;
        }
        streams.put(channel, stream);
        session.accept(stream);
        switch (channel) {
            case STDIN -> {} // when the process is there
            case RESIZE -> stream.inlet().attach(new WindowSizes(command::resize));
            case STDOUT, STDERR, ERROR -> stream.inlet().attach(DroppingSink.INSTANCE);
        }
        if (streams.size() == expected.size()) {
            stopWaiting();
            command.start(expected.contains(StreamChannel.RESIZE));
        }
    }

    @Override
    public void gone() {
        stopWaiting();
        command.gone();
    }

    private void stopWaiting() {
        if (creation != null) {
            creation.cancel(false);
            creation = null;
        }
    }

    @Override
    public EventLoop eventLoop() {
        return session.context().channel().eventLoop();
    }

    @Override
    public Inlet stdin() {
        SpdyStream stream = streams.get(StreamChannel.STDIN);
        return stream == null ? session.noInlet() : stream.inlet();
    }

    @Override
    public ByteSink stdout() {
        return outlet(StreamChannel.STDOUT);
    }

    @Override
    public ByteSink stderr() {
        return outlet(StreamChannel.STDERR);
    }

    @Override
    public ByteSink error() {
        return outlet(StreamChannel.ERROR);
    }

    private ByteSink outlet(StreamChannel channel) {
        SpdyStream stream = streams.get(channel);
        return stream == null ? DroppingSink.INSTANCE : stream.outlet();
    }

    @Override
    public void finish() {
        session.finish();
    }
}
