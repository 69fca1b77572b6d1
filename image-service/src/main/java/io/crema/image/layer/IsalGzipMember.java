package io.crema.image.layer;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.Map;

/**
 * Inflates by Intel's ISA-L ({@code libisal.so.2}), which is half as fast again as zlib. The layout
 * of its {@code struct inflate_state} is part of the library's binary interface (igzip_lib.h); we
 * touch the stream pointers, the block state and the checksum mode only.
 */
final class IsalGzipMember implements GzipMember {
    private static final String LIBRARY = "libisal.so.2";

    /** The struct of version 2.30 has 87,368 bytes; the rest is for later fields. */
    private static final long STATE_BYTES = 128L << 10;

    private static final int NEXT_OUT = 0;
    private static final int AVAILABLE_OUT = 8;
    private static final int NEXT_IN = 16;
    private static final int AVAILABLE_IN = 32;
    private static final int BLOCK_STATE = 21160;
    private static final int CHECKSUM_MODE = 21172;

    /**
     * ISAL_GZIP_NO_HDR_VER: the header was read already, the trailer is to be read and verified. In
     * its raw mode the library can hold read-ahead bytes of an earlier buffer when a stream ends.
     */
    private static final int GZIP_WITHOUT_HEADER = 6;

    private static final int BLOCK_FINISHED = 5;

    private static final String PROBE = "crema crema crema crema";
    private static final String PROBE_COMPRESSED = "4b2e4acd4d54484627012a79bb5e17000000";

    /** The library's functions; bound once, when the first gzip layer comes. */
    private static final class Functions {
        static final boolean AVAILABLE = bind() && inflatesAsExpected();

        private Functions() {}

        private static boolean bind() {
            try {
                Native.register(
                        Functions.class,
                        NativeLibrary.getInstance(
                                LIBRARY, Map.of(Library.OPTION_STRING_ENCODING, "UTF-8")));
                return true;
            } catch (UnsatisfiedLinkError e) {
                return false;
            }
        }

        /** Guards against a version of the library whose struct looks otherwise. */
        private static boolean inflatesAsExpected() {
            byte[] compressed = HexFormat.of().parseHex(PROBE_COMPRESSED);
            ByteBuffer in = ByteBuffer.allocateDirect(compressed.length).put(compressed).flip();
            ByteBuffer out = ByteBuffer.allocateDirect(2 * PROBE.length());
            try (IsalGzipMember member = new IsalGzipMember()) {
                member.begin();
                return member.inflate(in, out)
                        && !in.hasRemaining()
                        && StandardCharsets.US_ASCII.decode(out.flip()).toString().equals(PROBE);
            } catch (IOException e) {
                return false;
            }
        }

        static native void isal_inflate_init(Pointer state);

        static native int isal_inflate(Pointer state);
    }

    private final Arena arena = Arena.ofShared();
    private final ByteBuffer state;
    private final Pointer statePointer;

    private IsalGzipMember() {
        MemorySegment segment = arena.allocate(STATE_BYTES, 64);
        state = segment.asByteBuffer().order(ByteOrder.nativeOrder());
        statePointer = new Pointer(segment.address());
    }

    static boolean isAvailable() {
        return Functions.AVAILABLE;
    }

    static IsalGzipMember create() {
        if (!isAvailable()) {
            throw new IllegalStateException(LIBRARY + " is not installed");
        }
        return new IsalGzipMember();
    }

    @Override
    public void begin() {
        Functions.isal_inflate_init(statePointer);
        state.putInt(CHECKSUM_MODE, GZIP_WITHOUT_HEADER);
    }

    @Override
    public boolean inflate(ByteBuffer in, ByteBuffer out) throws IOException {
        int inLength = in.remaining();
        int outLength = out.remaining();
        state.putLong(NEXT_IN, MemorySegment.ofBuffer(in).address());
        state.putInt(AVAILABLE_IN, inLength);
        state.putLong(NEXT_OUT, MemorySegment.ofBuffer(out).address());
        state.putInt(AVAILABLE_OUT, outLength);
        int result = Functions.isal_inflate(statePointer);
        if (result < 0) {
            throw new DamagedLayerException(
                    "its gzip data is damaged: ISA-L reports "
                            + switch (result) {
                                case -1 -> "an invalid block";
                                case -2 -> "an invalid symbol";
                                case -3 -> "an invalid distance";
                                case -6 -> "a wrong checksum";
                                default -> "error " + result;
                            });
        }
        in.position(in.position() + inLength - state.getInt(AVAILABLE_IN));
        out.position(out.position() + outLength - state.getInt(AVAILABLE_OUT));
        return state.getInt(BLOCK_STATE) == BLOCK_FINISHED;
    }

    @Override
    public void close() {
        arena.close();
    }
}
