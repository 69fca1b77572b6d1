package io.crema.server.streaming;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.crema.runtime.streaming.ByteSink;
import io.crema.runtime.streaming.TerminalSize;
import io.crema.server.base.ServerJson;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads window sizes from a resize stream: JSON objects {@code {"Width":80,"Height":24}}, one after
 * the other without a delimiter, cut anywhere. After something else nothing is read any more, as by
 * the peers.
 */
final class WindowSizes implements ByteSink {
    private static final Logger LOG = LoggerFactory.getLogger(WindowSizes.class);
    private static final int MAX_OBJECT_BYTES = 1024;

    private final Consumer<TerminalSize> receiver;
    private final ByteArrayOutputStream object = new ByteArrayOutputStream();
    private boolean isBroken;

    WindowSizes(Consumer<TerminalSize> receiver) {
        this.receiver = receiver;
    }

    @Override
    public boolean write(ByteBuffer bytes) {
        while (bytes.hasRemaining()) {
            byte next = bytes.get();
            if (isBroken) {
                continue;
            }
            object.write(next);
            if (next == '}') {
                read(object.toString(StandardCharsets.UTF_8));
                object.reset();
            } else if (object.size() >= MAX_OBJECT_BYTES) {
                fail("an object of more than " + MAX_OBJECT_BYTES + " bytes");
            }
        }
        return true;
    }

    private void read(String json) {
        try {
            JsonNode size = ServerJson.MAPPER.readTree(json);
            receiver.accept(
                    new TerminalSize(size.path("Width").asInt(-1), size.path("Height").asInt(-1)));
        } catch (JsonProcessingException | IllegalArgumentException e) {
            fail(json + " is not a window size");
        }
    }

    private void fail(String why) {
        isBroken = true;
        object.reset();
        LOG.info("window sizes of a client are not followed any more: {}", why);
    }

    @Override
    public void whenWritable(Runnable resume) {
        resume.run();
    }

    @Override
    public void end() {
        // The size stays.
    }
}
