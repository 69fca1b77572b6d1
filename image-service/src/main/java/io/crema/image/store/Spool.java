package io.crema.image.store;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The compressed bytes of one layer, kept in a file while they come, so that a pull that is killed
 * goes on where it was. The file is divided into segments that fill from their beginnings in any
 * order; a journal beside it says how far each has come. The journal follows the bytes and never
 * precedes them, which holds for as long as the kernel runs; after a reboot nothing here is
 * believed. Nothing is trusted without the layer's digest anyway.
 *
 * <p>Safe for any number of threads, as long as each segment has one writer.
 */
final class Spool implements AutoCloseable {
    /** Of layers that helpers fetch, too; each segment is an exchange for them. */
    static final int LARGE_SEGMENT_BYTES = 8 << 20;

    /** What is kept begins and ends with a segment, so that little is lost of a small layer. */
    static final int SMALL_SEGMENT_BYTES = 64 << 10;

    /** A crash loses at most this much of each segment that was being written. */
    private static final int JOURNAL_STEP = 256 << 10;

    private static final int HEADER_BYTES = 128;
    private static final String MAGIC = "crema partial layer 1";

    private final Path file;
    private final Path journalFile;
    private final long sizeBytes;
    private final FileChannel content;
    private final FileChannel journal;
    private final long[] filled;
    private final long[] journaled;
    private final long resumedBytes;
    private boolean deleted;

    /**
     * Opens what an earlier attempt has left, or begins anew.
     *
     * @param bootId of the running kernel
     */
    static Spool open(Path file, long sizeBytes, String bootId) throws IOException {
        Path journalFile = journalOf(file);
        String header = header(sizeBytes, bootId);
        long[] known = read(journalFile, header, segments(sizeBytes), sizeBytes);
        if (known == null || !Files.exists(file)) {
            Files.deleteIfExists(file);
            Files.deleteIfExists(journalFile);
            known = new long[segments(sizeBytes)];
        }
        return new Spool(file, journalFile, sizeBytes, header, known);
    }

    static Path journalOf(Path file) {
        return file.resolveSibling(file.getFileName() + ".journal");
    }

    /** Whether the journal is one of this boot, whatever its layer. */
    static boolean isOf(Path journalFile, String bootId) {
        try (FileChannel channel = FileChannel.open(journalFile, StandardOpenOption.READ)) {
            ByteBuffer bytes = ByteBuffer.allocate(HEADER_BYTES);
            channel.read(bytes, 0);
            String text = new String(bytes.array(), 0, bytes.position(), StandardCharsets.US_ASCII);
            return text.startsWith(MAGIC + "\n" + bootId + "\n");
        } catch (IOException e) {
            return false;
        }
    }

    private static String header(long sizeBytes, String bootId) {
        return MAGIC + "\n" + bootId + "\n" + sizeBytes + "\n" + segmentBytes(sizeBytes) + "\n";
    }

    private static int segmentBytes(long sizeBytes) {
        return sizeBytes < Spools.MIN_LARGE_BYTES ? SMALL_SEGMENT_BYTES : LARGE_SEGMENT_BYTES;
    }

    private static int segments(long sizeBytes) {
        int each = segmentBytes(sizeBytes);
        return Math.toIntExact((sizeBytes + each - 1) / each);
    }

    private static long @Nullable [] read(
            Path journalFile, String header, int segments, long sizeBytes) {
        try (FileChannel channel = FileChannel.open(journalFile, StandardOpenOption.READ)) {
            ByteBuffer bytes = ByteBuffer.allocate(HEADER_BYTES + segments * Long.BYTES);
            while (bytes.hasRemaining() && channel.read(bytes) >= 0) {
                // Read on.
            }
            if (bytes.hasRemaining()) {
                return null;
            }
            bytes.flip();
            byte[] begin = new byte[HEADER_BYTES];
            bytes.get(begin);
            if (!Arrays.equals(begin, padded(header))) {
                return null;
            }
            long[] filled = new long[segments];
            for (int i = 0; i < segments; i++) {
                filled[i] = bytes.getLong();
                if (filled[i] < 0 || filled[i] > lengthOf(i, sizeBytes)) {
                    return null;
                }
            }
            return filled;
        } catch (IOException e) {
            return null;
        }
    }

    private static byte[] padded(String header) {
        return Arrays.copyOf(header.getBytes(StandardCharsets.US_ASCII), HEADER_BYTES);
    }

    private static long lengthOf(int segment, long sizeBytes) {
        int each = segmentBytes(sizeBytes);
        return Math.min(each, sizeBytes - (long) segment * each);
    }

    private Spool(Path file, Path journalFile, long sizeBytes, String header, long[] known)
            throws IOException {
        this.file = file;
        this.journalFile = journalFile;
        this.sizeBytes = sizeBytes;
        this.filled = known;
        this.journaled = known.clone();
        this.resumedBytes = Arrays.stream(known).sum();
        this.content =
                FileChannel.open(
                        file,
                        StandardOpenOption.READ,
                        StandardOpenOption.WRITE,
                        StandardOpenOption.CREATE);
        try {
            this.journal =
                    FileChannel.open(
                            journalFile, StandardOpenOption.WRITE, StandardOpenOption.CREATE);
            ByteBuffer bytes = ByteBuffer.allocate(HEADER_BYTES + known.length * Long.BYTES);
            bytes.put(padded(header));
            Arrays.stream(known).forEach(bytes::putLong);
            journal.write(bytes.flip(), 0);
        } catch (IOException e) {
            content.close();
            throw e;
        }
    }

    long sizeBytes() {
        return sizeBytes;
    }

    int segments() {
        return filled.length;
    }

    /** What an earlier attempt left. */
    long resumedBytes() {
        return resumedBytes;
    }

    int segmentOf(long position) {
        return Math.toIntExact(position / segmentBytes(sizeBytes));
    }

    long startOf(int segment) {
        return (long) segment * segmentBytes(sizeBytes);
    }

    long endOf(int segment) {
        return startOf(segment) + lengthOf(segment, sizeBytes);
    }

    /** The position up to which a segment is here. */
    synchronized long filledTo(int segment) {
        return startOf(segment) + filled[segment];
    }

    synchronized boolean isFull(int segment) {
        return filledTo(segment) == endOf(segment);
    }

    /** Reads what is here; the caller asks {@link #filledTo} before. */
    int read(long position, byte[] buffer, int offset, int length) throws IOException {
        int count = content.read(ByteBuffer.wrap(buffer, offset, length), position);
        if (count <= 0) {
            throw new IOException("the kept bytes at " + position + " are gone from " + file);
        }
        return count;
    }

    /** Appends to a segment, in which all the bytes lie. */
    void append(int segment, byte[] buffer, int offset, int length) throws IOException {
        long position = filledTo(segment);
        ByteBuffer bytes = ByteBuffer.wrap(buffer, offset, length);
        while (bytes.hasRemaining()) {
            position += content.write(bytes, position);
        }
        synchronized (this) {
            filled[segment] += length;
            if (filled[segment] - journaled[segment] >= JOURNAL_STEP || isFull(segment)) {
                ByteBuffer entry = ByteBuffer.allocate(Long.BYTES).putLong(filled[segment]).flip();
                journal.write(entry, HEADER_BYTES + (long) segment * Long.BYTES);
                journaled[segment] = filled[segment];
            }
        }
    }

    /** Forgets the bytes and gives their disk space back; the file cannot be used any more. */
    void delete() {
        synchronized (this) {
            if (deleted) {
                return;
            }
            deleted = true;
        }
        try {
            // The journal first: bytes without one are never believed.
            Files.deleteIfExists(journalFile);
            Files.deleteIfExists(file);
        } catch (IOException e) {
            // The next start deletes what is old.
        }
    }

    @Override
    public void close() {
        try (content;
                journal) {
            // Only to be closed.
        } catch (IOException e) {
            // What could not be written is not in the journal.
        }
    }
}
