package io.crema.runtime.streaming;

import io.crema.oci.process.Receiver;
import java.nio.ByteBuffer;

/** A sink of the server's as the poll loop feeds it. */
public record SinkReceiver(ByteSink sink) implements Receiver {
    @Override
    public boolean write(ByteBuffer bytes) {
        return sink.write(bytes);
    }

    @Override
    public void whenWritable(Runnable resume) {
        sink.whenWritable(resume);
    }
}
