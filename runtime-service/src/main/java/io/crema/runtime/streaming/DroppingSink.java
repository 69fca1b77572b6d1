package io.crema.runtime.streaming;

import java.nio.ByteBuffer;

/** Drops everything: a stream that was not asked for, or that the other side must not write to. */
public enum DroppingSink implements ByteSink {
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
