package io.crema.runtime;

import io.crema.runtime.streaming.ByteSink;
import java.nio.ByteBuffer;

/** Where output goes that a client did not ask for. */
enum DroppingSink implements ByteSink {
    DROPS;

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
    public void end() {}
}
