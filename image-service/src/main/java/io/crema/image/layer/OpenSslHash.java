package io.crema.image.layer;

import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Pointer;
import io.crema.base.Digest;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Hashes by OpenSSL's {@code libcrypto}. The JDK is as fast once its optimising compiler has seen
 * the code run; a daemon that just started, or one without that compiler to save memory, is six
 * times slower, and hashing would be most of a pull.
 */
final class OpenSslHash implements RunningHash {
    private static final String LIBRARY = "libcrypto.so.3";
    private static final int MAX_DIGEST_BYTES = 64;

    /** The library's functions (EVP_DigestInit(3)); bound once, when the first layer comes. */
    private static final class Functions {
        static final boolean AVAILABLE = bind();

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

        static native Pointer EVP_sha256();

        static native Pointer EVP_sha512();

        static native @Nullable Pointer EVP_MD_CTX_new();

        static native void EVP_MD_CTX_free(Pointer context);

        static native int EVP_DigestInit_ex(
                Pointer context, Pointer type, @Nullable Pointer engine);

        static native int EVP_DigestUpdate(Pointer context, Pointer bytes, long length);

        static native int EVP_DigestFinal_ex(
                Pointer context, Pointer digest, @Nullable Pointer length);
    }

    private final String algorithm;
    private final Pointer context;
    private boolean closed;

    private OpenSslHash(String algorithm, Pointer type) {
        this.algorithm = algorithm;
        Pointer made = Functions.EVP_MD_CTX_new();
        if (made == null) {
            throw new OutOfMemoryError("EVP_MD_CTX_new");
        }
        this.context = made;
        if (Functions.EVP_DigestInit_ex(context, type, null) != 1) {
            Functions.EVP_MD_CTX_free(context);
            throw new IllegalStateException("OpenSSL does not compute " + algorithm);
        }
    }

    static boolean isAvailable() {
        return Functions.AVAILABLE;
    }

    static OpenSslHash create(String algorithm) {
        if (!isAvailable()) {
            throw new IllegalStateException(LIBRARY + " is not installed");
        }
        return new OpenSslHash(
                algorithm,
                switch (algorithm) {
                    case "sha256" -> Functions.EVP_sha256();
                    case "sha512" -> Functions.EVP_sha512();
                    default -> throw new IllegalArgumentException(algorithm);
                });
    }

    @Override
    public void update(ByteBuffer bytes) {
        // A heap buffer's "address" is an offset into an object: the library would crash the JVM.
        if (!bytes.isDirect()) {
            throw new IllegalArgumentException("OpenSSL hashes direct buffers only");
        }
        long address = MemorySegment.ofBuffer(bytes).address();
        if (Functions.EVP_DigestUpdate(context, new Pointer(address), bytes.remaining()) != 1) {
            throw new IllegalStateException("OpenSSL cannot hash");
        }
    }

    @Override
    public Digest digest() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment digest = arena.allocate(MAX_DIGEST_BYTES);
            if (Functions.EVP_DigestFinal_ex(context, new Pointer(digest.address()), null) != 1) {
                throw new IllegalStateException("OpenSSL cannot hash");
            }
            int length = algorithm.equals("sha512") ? 64 : 32;
            return new Digest(
                    algorithm,
                    HexFormat.of()
                            .formatHex(digest.asSlice(0, length).toArray(ValueLayout.JAVA_BYTE)));
        }
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            Functions.EVP_MD_CTX_free(context);
        }
    }
}
