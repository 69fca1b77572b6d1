package io.crema.server.streaming;

import io.crema.runtime.streaming.ByteSink;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import java.nio.ByteBuffer;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One stream towards a client. What is written by any thread is framed there and sent by the
 * channel's event loop; what the socket has not taken yet counts, and is bounded, so that a client
 * that reads slowly stops only what it is sent.
 */
final class Outlet implements ByteSink {
    private static final Logger LOG = LoggerFactory.getLogger(Outlet.class);

    /** Two reads of the source: one is on its way while the next one is read. */
    static final int HIGH_BYTES = 128 * 1024;

    static final int LOW_BYTES = 64 * 1024;

    private final ChannelHandlerContext wire;
    private final Framing framing;
    private final OutputBudget budget;
    private final AtomicInteger pending = new AtomicInteger();
    private final AtomicReference<@Nullable Runnable> resume = new AtomicReference<>();
    private volatile boolean isClosed;
    // Of the event loop alone.
    private boolean isEnded;
    private boolean isFlushing;
    private Runnable ended = () -> {};

    /**
     * @param wire where ready frames enter the pipeline
     */
    Outlet(ChannelHandlerContext wire, Framing framing, OutputBudget budget) {
        this.wire = wire;
        this.framing = framing;
        this.budget = budget;
    }

    /** Tells the event loop when the end was sent; set before anything is written. */
    void whenEnded(Runnable action) {
        ended = action;
    }

    @Override
    public boolean write(ByteBuffer bytes) {
        int size = bytes.remaining();
        if (isClosed || size == 0) {
            bytes.position(bytes.limit());
            return isClosed || pending.get() < HIGH_BYTES;
        }
        if (!budget.take(size)) {
            LOG.atWarn()
                    .addKeyValue("client", wire.channel().remoteAddress())
                    .addKeyValue("held_bytes", budget.held())
                    .log("too much output waits for clients that do not read; one is cut off");
            isClosed = true;
            var _ = wire.channel().close();
            bytes.position(bytes.limit());
            return true;
        }
        ByteBuf frame = framing.data(wire.alloc(), bytes);
        int now = pending.addAndGet(size);
        if (!onLoop(() -> send(frame, size))) {
            frame.release();
            written(size);
        }
        return now < (budget.isTight() ? 1 : HIGH_BYTES);
    }

    private void send(ByteBuf frame, int size) {
        if (isClosed || isEnded) {
            frame.release();
            written(size);
        } else {
            var _ = wire.write(frame).addListener(sent -> written(size));
            flushSoon();
        }
    }

    /** After what other threads have handed over by now: a command may write in small pieces. */
    private void flushSoon() {
        if (isFlushing) {
            return;
        }
        isFlushing = true;
        try {
            wire.executor().execute(this::flush);
        } catch (RejectedExecutionException e) {
            flush(); // the server is being closed
        }
    }

    private void flush() {
        isFlushing = false;
        var _ = wire.flush();
    }

    private void written(int size) {
        budget.release(size);
        pending.addAndGet(-size);
        resumeIfRoom();
    }

    @Override
    public void whenWritable(Runnable action) {
        resume.set(action);
        resumeIfRoom();
    }

    private void resumeIfRoom() {
        if (isClosed || pending.get() <= (budget.isTight() ? 0 : LOW_BYTES)) {
            Runnable action = resume.getAndSet(null);
            if (action != null) {
                action.run();
            }
        }
    }

    @Override
    public void end() {
        var _ =
                onLoop(() -> {
                    if (!isEnded) {
                        isEnded = true;
                        if (!isClosed) {
                            var _ = wire.writeAndFlush(framing.end(wire.alloc()));
                        }
                        ended.run();
                    }
                });
    }

    /** From now on all is dropped: the client does not want this stream, or is gone. */
    void close() {
        isClosed = true;
        resumeIfRoom();
    }

    private boolean onLoop(Runnable task) {
        if (wire.executor().inEventLoop()) {
            task.run();
            return true;
        }
        try {
            wire.executor().execute(task);
            return true;
        } catch (RejectedExecutionException e) {
            // The server is closed, and with it every connection.
            return false;
        }
    }
}
