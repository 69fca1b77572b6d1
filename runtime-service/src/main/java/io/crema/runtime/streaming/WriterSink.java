package io.crema.runtime.streaming;

import io.crema.oci.process.StreamWriter;
import java.nio.ByteBuffer;

/** A stream towards a process or a pod as the server feeds it. */
public record WriterSink(StreamWriter writer) implements ByteSink {
    @Override
    public boolean write(ByteBuffer bytes) {
        return writer.write(bytes);
    }

    @Override
    public void whenWritable(Runnable resume) {
        writer.whenWritable(resume);
    }

    @Override
    public void end() {
        writer.end();
    }
}
