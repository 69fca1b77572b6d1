package io.crema.runtime.ttrpc;

import java.nio.ByteBuffer;

/**
 * One message of ttrpc: ten bytes of header (length, stream, type, flags), then the payload.
 *
 * @param stream which call it belongs to; odd, and growing from call to call
 */
record Frame(int stream, byte type, byte flags, byte[] payload) {
    static final byte REQUEST = 1;
    static final byte RESPONSE = 2;

    static final int HEADER_BYTES = 10;

    /** What every implementation agrees on as the longest payload. */
    static final int MOST_PAYLOAD_BYTES = 4 << 20;

    static Frame request(int stream, byte[] payload) {
        return new Frame(stream, REQUEST, (byte) 0, payload);
    }

    static Frame response(int stream, byte[] payload) {
        return new Frame(stream, RESPONSE, (byte) 0, payload);
    }

    /** Header and payload in one piece. */
    byte[] bytes() {
        return ByteBuffer.allocate(HEADER_BYTES + payload.length)
                .putInt(payload.length)
                .putInt(stream)
                .put(type)
                .put(flags)
                .put(payload)
                .array();
    }
}
