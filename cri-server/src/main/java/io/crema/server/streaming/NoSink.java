package io.crema.server.streaming;

import io.crema.runtime.streaming.ByteSink;
import java.nio.ByteBuffer;

/** Drops everything: a stream that was not asked for, or that a client must not write to. */
enum NoSink implements ByteSink {
    INSTANCE;

    @Override
    public boolean write(ByteBuffer bytes) {
        bytes.position(bytes.limit());
        return true;
    }

    @Override
    public void whenWritable(Runnable resume) {
        resume.run();
    }

    @Override
    public void end() {
        // Nobody listens.
    }
}
