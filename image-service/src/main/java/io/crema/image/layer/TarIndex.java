package io.crema.image.layer;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Where the files of a plain tar archive on disk lie, so that they can be read in any order. Links
 * inside the archive are followed inside the archive.
 */
public final class TarIndex implements AutoCloseable {
    private static final int READ_BYTES = 64 << 10;
    private static final int MAX_LINKS = 8;

    private sealed interface Member {}

    private record Extent(long offset, long sizeBytes) implements Member {}

    private record Link(String target) implements Member {}

    private final FileChannel channel;
    private final Map<String, Member> members = new HashMap<>();

    private TarIndex(FileChannel channel) {
        this.channel = channel;
    }

    /** How the file is compressed as a whole. */
    public static Compression compression(Path file) throws IOException {
        try (InputStream stream = Files.newInputStream(file)) {
            return Compression.detect(ByteBuffer.wrap(stream.readNBytes(Compression.MAGIC_LENGTH)));
        }
    }

    /** Writes the decompressed content of a file to a new one. */
    public static void decompress(Path compressed, Path plain, UnpackLimits limits)
            throws IOException {
        long maxBytes = limits.maxUnpackedBytes(Files.size(compressed));
        try (FileChannel in = FileChannel.open(compressed, StandardOpenOption.READ);
                FileChannel out =
                        FileChannel.open(
                                plain, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
                Arena arena = Arena.ofConfined();
                Decompressor decompressor = compression(compressed).decompressor()) {
            ByteBuffer from = arena.allocate(READ_BYTES).asByteBuffer().flip();
            ByteBuffer to = arena.allocate(4L * READ_BYTES).asByteBuffer();
            boolean more = true;
            while (more) {
                decompressor.decompress(from, to);
                if (to.hasRemaining()) {
                    more = in.read(from.clear()) >= 0;
                    from.flip();
                }
                to.flip();
                while (to.hasRemaining()) {
                    out.write(to);
                }
                to.clear();
                if (out.position() > maxBytes) {
                    throw new DamagedLayerException("it decompresses to more than " + maxBytes);
                }
            }
            decompressor.finish();
        }
    }

    /**
     * Reads all headers of an archive.
     *
     * @throws DamagedLayerException when it is no tar archive
     */
    public static TarIndex read(Path file, UnpackLimits limits) throws IOException {
        FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
        try {
            TarIndex index = new TarIndex(channel);
            Headers headers = new Headers(channel);
            TarReader reader = new TarReader(headers, limits);
            TarEntry entry;
            while ((entry = reader.next()) != null) {
                switch (entry.type()) {
                    case REGULAR_FILE -> {
                        if (!entry.isSparse()) {
                            index.members.put(
                                    entry.path(), new Extent(headers.offset(), entry.sizeBytes()));
                        }
                    }
                    case HARD_LINK -> index.members.put(entry.path(), new Link(entry.linkTarget()));
                    case SYMBOLIC_LINK ->
                            index.members.put(
                                    entry.path(),
                                    new Link(beside(entry.parent(), entry.linkTarget())));
                    case DIRECTORY, CHARACTER_DEVICE, BLOCK_DEVICE, FIFO -> {}
                }
            }
            return index;
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    /** What a relative link in a directory means; an absolute one names nothing here. */
    private static String beside(String directory, String target) {
        return target.startsWith("/")
                ? target
                : Path.of(directory).resolve(target).normalize().toString();
    }

    /** The size of a file in the archive; empty when it is not there. */
    public Optional<Long> size(String name) {
        return Optional.ofNullable(extent(name)).map(Extent::sizeBytes);
    }

    /** Reads a file of the archive. */
    public Optional<InputStream> open(String name) {
        Extent extent = extent(name);
        if (extent == null) {
            return Optional.empty();
        }
        return Optional.of(
                extent.sizeBytes == 0
                        ? new ByteArrayInputStream(new byte[0])
                        : new Slice(channel, extent));
    }

    private @Nullable Extent extent(String name) {
        String at = name;
        for (int i = 0; i < MAX_LINKS; i++) {
            Member member = members.get(at);
            if (member instanceof Link link) {
                at = link.target;
            } else {
                return (Extent) member;
            }
        }
        return null;
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }

    /** The archive's bytes for a reader of headers, which can pass over contents. */
    private static final class Headers implements PlainBytes {
        private final FileChannel channel;
        private final long size;
        private final ByteBuffer buffer = ByteBuffer.allocate(READ_BYTES).flip();
        private long position;

        Headers(FileChannel channel) throws IOException {
            this.channel = channel;
            this.size = channel.size();
        }

        /** Where in the file the reader stands. */
        long offset() {
            return position - buffer.remaining();
        }

        @Override
        public @Nullable ByteBuffer next() throws IOException {
            int length = channel.read(buffer.clear(), position);
            buffer.flip();
            if (length <= 0) {
                return null;
            }
            position += length;
            return buffer;
        }

        @Override
        public boolean skip(long bytes) {
            if (bytes > size - position) {
                return false;
            }
            position += bytes;
            return true;
        }
    }

    /** One file inside the archive. Several can be read at once: positions are their own. */
    private static final class Slice extends InputStream {
        private final FileChannel channel;
        private long position;
        private long left;

        Slice(FileChannel channel, Extent extent) {
            this.channel = channel;
            this.position = extent.offset;
            this.left = extent.sizeBytes;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            if (left == 0) {
                return -1;
            }
            int wanted = (int) Math.min(length, left);
            int count = channel.read(ByteBuffer.wrap(bytes, offset, wanted), position);
            if (count > 0) {
                position += count;
                left -= count;
            }
            return count;
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
        }
    }
}
