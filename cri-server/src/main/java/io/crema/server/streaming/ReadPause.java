package io.crema.server.streaming;

import io.netty.channel.Channel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.util.concurrent.ScheduledFuture;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Stops reading from a client while one of its streams has no room: neither SPDY as Kubernetes
 * speaks it nor WebSocket can stop a single stream. A client that vanishes meanwhile would not be
 * noticed by reading, so the state of its TCP connection is looked at. Of the event loop alone.
 */
final class ReadPause {
    /** What handlers are told every two seconds, so that they can give a sign of life. */
    enum Event {
        STILL_PAUSED
    }

    private static final long LOOK_MILLIS = 500;
    private static final int LOOKS_PER_SIGN = 4;

    /** TCP_ESTABLISHED of the kernel; a client that sends FIN has left. */
    private static final int ESTABLISHED = 1;

    private final Channel channel;
    private int pauses;
    private int looks;
    private @Nullable ScheduledFuture<?> looking;

    ReadPause(Channel channel) {
        this.channel = channel;
    }

    void pause() {
        if (pauses++ == 0) {
            channel.config().setAutoRead(false);
            looking =
                    channel.eventLoop()
                            .scheduleAtFixedRate(
                                    this::look, LOOK_MILLIS, LOOK_MILLIS, TimeUnit.MILLISECONDS);
        }
    }

    void resume() {
        if (--pauses == 0) {
            stopLooking();
            channel.config().setAutoRead(true);
        }
    }

    private void look() {
        boolean isThere = channel.isActive();
        if (isThere && channel instanceof EpollSocketChannel socket) {
            try {
                isThere = socket.tcpInfo().state() == ESTABLISHED;
            } catch (RuntimeException e) {
                if (!(e.getCause() instanceof ClosedChannelException)) {
                    throw e;
                }
                isThere = false;
            }
        }
        if (isThere && ++looks % LOOKS_PER_SIGN == 0) {
            channel.pipeline().fireUserEventTriggered(Event.STILL_PAUSED);
        }
        if (!isThere) {
            stopLooking();
            var _ = channel.close();
        }
    }

    private void stopLooking() {
        if (looking != null) {
            looking.cancel(false);
            looking = null;
        }
    }
}
