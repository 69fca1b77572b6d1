package io.crema.oci.linux.jna;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import com.sun.jna.Pointer;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.FileNames;
import io.crema.oci.linux.LinuxException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Native memory for the arguments and results of one call, handed out from front to back and reused
 * by later calls. What does not fit is allocated on its own and freed at {@link #close}.
 */
final class Scratch implements AutoCloseable {
    /** Enough for two paths, a directory listing's block and any structure. */
    static final int SIZE = 32 * 1024;

    /**
     * A few scratches kept for reuse; with more calls at once than that, the rest are freed after
     * use. Lock-free because calls run inside namespaces too, where waking a virtual thread would
     * let the JVM start a carrier thread inside the namespace.
     */
    static final class Pool {
        private final AtomicReferenceArray<@Nullable Scratch> idle =
                new AtomicReferenceArray<@Nullable Scratch>(8);

        Scratch take() {
            for (int i = 0; i < idle.length(); i++) {
                Scratch scratch = idle.getAndSet(i, null);
                if (scratch != null) {
                    return scratch;
                }
            }
            return new Scratch(this);
        }

        private void giveBack(Scratch scratch) {
            for (int i = 0; i < idle.length(); i++) {
                if (idle.compareAndSet(i, null, scratch)) {
                    return;
                }
            }
            scratch.memory.close();
        }
    }

    private final Pool pool;
    private final Memory memory = new Memory(SIZE);
    private final long address = Pointer.nativeValue(memory);
    private final ByteBuffer bytes = memory.getByteBuffer(0, SIZE);
    private int used;
    private @Nullable List<Memory> oversize;

    private Scratch(Pool pool) {
        this.pool = pool;
    }

    /**
     * A block of the given size, not cleared. Blocks of up to half of {@link #SIZE} that are the
     * first or second of a call are always within the scratch itself, where {@link #getInt} and its
     * kin reach them.
     */
    long block(int size) {
        int start = (used + 7) & ~7;
        if (size <= SIZE - start) {
            used = start + size;
            return address + start;
        }
        Memory large = new Memory(size);
        if (oversize == null) {
            oversize = new ArrayList<>();
        }
        oversize.add(large);
        return Pointer.nativeValue(large);
    }

    /** A block inside the scratch itself, filled with zeros. */
    long zeroed(int size) {
        int start = (used + 7) & ~7;
        if (size > SIZE - start) {
            throw new IllegalStateException("scratch is full");
        }
        for (int i = start; i < start + size; i++) {
            bytes.put(i, (byte) 0);
        }
        used = start + size;
        return address + start;
    }

    /**
     * A copy of the text in bytes with a zero at the end.
     *
     * @throws LinuxException EINVAL when the text contains a NUL, which would cut the name short
     */
    long string(String call, String text) {
        int length = text.length();
        int start = (used + 7) & ~7;
        if (length >= SIZE - start) {
            return encoded(call, text);
        }
        for (int i = 0; i < length; i++) {
            char c = text.charAt(i);
            if (c == 0 || c >= 0x80) {
                return encoded(call, text);
            }
            bytes.put(start + i, (byte) c);
        }
        bytes.put(start + length, (byte) 0);
        used = start + length + 1;
        return address + start;
    }

    /** A copy of a name that must be a single path component. */
    long component(String call, String name) {
        if (name.isEmpty() || name.indexOf('/') >= 0 || name.equals("..")) {
            throw new LinuxException(call, "name '" + name + "'", Errno.EINVAL);
        }
        return string(call, name);
    }

    private long encoded(String call, String text) {
        if (text.indexOf('\0') >= 0) {
            throw new LinuxException(
                    call, "name with NUL '" + text.replace('\0', '?') + "'", Errno.EINVAL);
        }
        byte[] encoded = FileNames.encode(text);
        long result = block(encoded.length + 1);
        copyIn(result, encoded, 0, encoded.length);
        putByte(result + encoded.length, (byte) 0);
        return result;
    }

    void copyIn(long to, byte[] from, int offset, int length) {
        if (isInside(to)) {
            bytes.put((int) (to - address), from, offset, length);
        } else {
            new Pointer(to).write(0, from, offset, length);
        }
    }

    byte[] copyOut(long from, int length) {
        byte[] copy = new byte[length];
        copyOut(from, copy, 0, length);
        return copy;
    }

    void copyOut(long from, byte[] to, int offset, int length) {
        if (isInside(from)) {
            bytes.get((int) (from - address), to, offset, length);
        } else {
            new Pointer(from).read(0, to, offset, length);
        }
    }

    int getInt(long from) {
        return bytes.getInt(Math.toIntExact(from - address));
    }

    long getLong(long from) {
        return bytes.getLong(Math.toIntExact(from - address));
    }

    short getShort(long from) {
        return bytes.getShort(Math.toIntExact(from - address));
    }

    byte getByte(long from) {
        return bytes.get(Math.toIntExact(from - address));
    }

    void copyIn(long to, ByteBuffer from, int length) {
        bytes.put(Math.toIntExact(to - address), from, from.position(), length);
    }

    void copyOut(long from, ByteBuffer to, int length) {
        to.put(to.position(), bytes, Math.toIntExact(from - address), length);
        to.position(to.position() + length);
    }

    void putByte(long to, byte value) {
        if (isInside(to)) {
            bytes.put((int) (to - address), value);
        } else {
            new Pointer(to).setByte(0, value);
        }
    }

    void putShort(long to, short value) {
        bytes.putShort(Math.toIntExact(to - address), value);
    }

    void putInt(long to, int value) {
        bytes.putInt(Math.toIntExact(to - address), value);
    }

    /** Also reaches blocks outside the scratch itself. */
    void putLong(long to, long value) {
        if (isInside(to)) {
            bytes.putLong((int) (to - address), value);
        } else {
            new Pointer(to).setLong(0, value);
        }
    }

    private boolean isInside(long where) {
        return where >= address && where < address + SIZE;
    }

    /** The address of a direct buffer's position. */
    static long addressOf(ByteBuffer direct) {
        return Pointer.nativeValue(Native.getDirectBufferPointer(direct)) + direct.position();
    }

    @Override
    public void close() {
        used = 0;
        if (oversize != null) {
            for (Memory large : oversize) {
                large.close();
            }
            oversize = null;
        }
        pool.giveBack(this);
    }
}
