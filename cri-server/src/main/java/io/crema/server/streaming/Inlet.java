package io.crema.server.streaming;

import io.crema.runtime.streaming.ByteSink;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.RejectedExecutionException;
import org.jspecify.annotations.Nullable;

/**
 * One stream from a client. What comes before its receiver is there waits, up to a bound at which
 * the client is not read any more. Of the event loop alone.
 */
final class Inlet {
    private static final int MAX_WAITING_BYTES = 128 * 1024;
    private static final int MAX_WRITE_BYTES = 64 * 1024;

    private final Channel channel;
    private final ReadPause reading;
    private final Deque<ByteBuf> waiting = new ArrayDeque<>();
    private int waitingBytes;
    private @Nullable ByteSink sink;
    private boolean isPaused;
    private boolean isEnded;
    private boolean isClosed;

    Inlet(Channel channel, ReadPause reading) {
        this.channel = channel;
        this.reading = reading;
    }

    /** The receiver is there; it gets what came so far. */
    void attach(ByteSink receiver) {
        if (isClosed) {
            receiver.end();
            return;
        }
        sink = receiver;
        boolean hasRoom = true;
        for (ByteBuf bytes = waiting.poll(); bytes != null; bytes = waiting.poll()) {
            hasRoom = write(receiver, bytes);
        }
        waitingBytes = 0;
        if (isEnded) {
            receiver.end();
        }
        if (hasRoom) {
            resume();
        } else {
            waitForRoom(receiver);
        }
    }

    /** Takes over the buffer. */
    void data(ByteBuf bytes) {
        if (isEnded || isClosed) {
            bytes.release();
        } else if (sink == null) {
            waiting.add(bytes);
            waitingBytes += bytes.readableBytes();
            if (waitingBytes >= MAX_WAITING_BYTES) {
                pause();
            }
        } else if (!write(sink, bytes)) {
            waitForRoom(sink);
        }
    }

    void end() {
        if (!isEnded) {
            isEnded = true;
            if (sink != null) {
                sink.end();
            }
        }
    }

    /** Nothing more is wanted: what comes is dropped. */
    void close() {
        isClosed = true;
        for (ByteBuf bytes = waiting.poll(); bytes != null; bytes = waiting.poll()) {
            bytes.release();
        }
        waitingBytes = 0;
        resume();
    }

    private static boolean write(ByteSink sink, ByteBuf bytes) {
        try {
            boolean hasRoom = true;
            while (bytes.isReadable()) {
                int size = Math.min(bytes.readableBytes(), MAX_WRITE_BYTES);
                ByteBuffer part = bytes.nioBuffer(bytes.readerIndex(), size);
                bytes.skipBytes(size);
                hasRoom = sink.write(part);
            }
            return hasRoom;
        } finally {
            bytes.release();
        }
    }

    private void waitForRoom(ByteSink sink) {
        pause();
        sink.whenWritable(() -> {
            if (channel.eventLoop().inEventLoop()) {
                resume();
                return;
            }
            try {
                channel.eventLoop().execute(this::resume);
            } catch (RejectedExecutionException e) {
                // The server is closed; nothing is read any more.
            }
        });
    }

    private void pause() {
        if (!isPaused && !isClosed) {
            isPaused = true;
            reading.pause();
        }
    }

    private void resume() {
        if (isPaused) {
            isPaused = false;
            reading.resume();
        }
    }
}
