package io.crema.image.layer;

import static io.crema.image.layer.TarReader.shown;

import io.crema.base.CremaException;
import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * Unpacks a layer in one pass by two threads: one reads, hashes, decompresses and hashes again; the
 * other, the caller's, reads the tar stream and makes the files. A few buffers go round between
 * them, so memory is bounded and the slower side sets the pace.
 *
 * <p>Callers must be platform threads: making files can wait for the disk inside native calls. An
 * interrupt of the caller ends the work.
 */
public final class LayerUnpacker {
    private static final int CHUNKS = 4;
    private static final int CHUNK_BYTES = 256 << 10;
    private static final int INPUT_BYTES = 64 << 10;

    /** A guard only; sources have closer deadlines. */
    private static final Duration VERDICT_LIMIT = Duration.ofHours(2);

    private static final Set<OpenFlag> DIRECTORY =
            Set.of(OpenFlag.READ_ONLY, OpenFlag.DIRECTORY, OpenFlag.NO_FOLLOW);

    private final LinuxFiles files;
    private final Executor workers;
    private final UnpackLimits limits;
    private final int umask;

    /** The directories of the layers below, asked for only when a layer refers to them. */
    public interface Parents {
        boolean isEmpty();

        /**
         * Waits until they are unpacked.
         *
         * @return top first, ending with the first whose root hides all below it
         */
        List<Path> directories() throws InterruptedException;

        /** For the lowest layer. */
        static Parents none() {
            return new Parents() {
                @Override
                public boolean isEmpty() {
                    return true;
                }

                @Override
                public List<Path> directories() {
                    return List.of();
                }
            };
        }
    }

    /** Hears how a layer's work goes on; called by one thread at a time. */
    public interface Meter {
        /** So many more compressed bytes were taken. */
        void consumed(int bytes);

        /** So many more plain bytes go to the writer. */
        void unpacked(int bytes);

        /** Nobody listens. */
        static Meter none() {
            return new Meter() {
                @Override
                public void consumed(int bytes) {}

                @Override
                public void unpacked(int bytes) {}
            };
        }
    }

    /**
     * @param workers runs the reading half of each layer on a platform thread of its own, never in
     *     the caller's
     */
    public LayerUnpacker(LinuxFiles files, Executor workers, UnpackLimits limits) {
        this.files = files;
        this.workers = workers;
        this.limits = limits;
        this.umask = umask();
    }

    /** The reading half of one layer's work. */
    private final class Reading implements Runnable {
        private final LayerContent content;
        private final ChunkRing ring;
        private final ByteBuffer input;
        private final Meter meter;
        private final long maxPlainBytes;
        private @Nullable InputStream stream;
        private boolean stopped;

        /** The bytes are those that the manifest names, whatever is in them. */
        private volatile boolean isAsPromised;

        private final CountDownLatch ended = new CountDownLatch(1);

        // Read by the other thread after the ring has told it of the end.
        private @Nullable Digest digest;
        private @Nullable Digest diffId;
        private Compression compression = Compression.NONE;
        private long plainBytes;

        Reading(LayerContent content, ChunkRing ring, Meter meter) {
            this.content = content;
            this.meter = meter;
            this.ring = ring;
            this.input = ring.allocate(INPUT_BYTES);
            this.maxPlainBytes = limits.maxUnpackedBytes(content.sizeBytes());
        }

        @Override
        public void run() {
            try (InputStream opened = open()) {
                read(opened);
                ring.end();
            } catch (Throwable e) {
                ring.fail(e);
            } finally {
                ended.countDown();
                ring.release();
            }
        }

        /** After the other side has refused the layer: whether no other place has better bytes. */
        boolean awaitVerdict() {
            try {
                return ended.await(VERDICT_LIMIT.toSeconds(), TimeUnit.SECONDS) && isAsPromised;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return false;
            }
        }

        private InputStream open() throws IOException {
            InputStream opened = content.source().open();
            boolean tooLate;
            synchronized (this) {
                stream = opened;
                tooLate = stopped;
            }
            if (tooLate) {
                opened.close();
                throw new InterruptedIOException("cancelled");
            }
            return opened;
        }

        /** Ends a read that waits for the network. */
        void stop() {
            InputStream open;
            synchronized (this) {
                stopped = true;
                open = stream;
            }
            if (open != null) {
                try {
                    open.close();
                } catch (IOException e) {
                    // Nobody wants these bytes any more.
                }
            }
        }

        private void read(InputStream stream) throws IOException {
            try (VerifiedInput verified = new VerifiedInput(stream, content);
                    RunningHash plainHash = RunningHash.like(content.diffId())) {
                try {
                    read(verified, plainHash);
                } catch (DamagedLayerException e) {
                    throw judged(verified, e);
                } catch (IOException e) {
                    if (content.isOneOfSeveral() && isRefusal(ring.failure())) {
                        isAsPromised = verdict(verified);
                    }
                    throw e;
                }
            }
        }

        private DamagedLayerException judged(
                VerifiedInput verified, DamagedLayerException refusal) {
            if (!content.isOneOfSeveral() || refusal.isAsPromised() || digest != null) {
                return refusal;
            }
            return new DamagedLayerException(
                    String.valueOf(refusal.getMessage()), refusal, verdict(verified));
        }

        private boolean verdict(VerifiedInput verified) {
            try {
                return verified.isAsPromised(input);
            } catch (IOException | CremaException e) {
                // The refusal is what counts.
                return false;
            }
        }

        private void read(VerifiedInput verified, RunningHash plainHash) throws IOException {
            boolean any = verified.fill(input.clear());
            input.flip();
            meter.consumed(any ? input.remaining() : 0);
            compression = Compression.detect(input);
            try (Decompressor decompressor = compression.decompressor()) {
                ByteBuffer chunk = ring.take();
                while (true) {
                    decompressor.decompress(input, chunk);
                    if (!chunk.hasRemaining()) {
                        handOver(chunk, plainHash);
                        chunk = ring.take();
                    } else if (!input.hasRemaining()) {
                        boolean more = verified.fill(input.clear());
                        input.flip();
                        if (!more) {
                            break;
                        }
                        meter.consumed(input.remaining());
                    }
                }
                decompressor.finish();
                if (chunk.position() > 0) {
                    handOver(chunk, plainHash);
                }
            }
            digest = verified.verify();
            isAsPromised = content.digest().isPresent();
            Digest plain = plainHash.digest();
            diffId = plain;
            if (!plain.equals(content.diffId())) {
                throw new DamagedLayerException(
                        "its content has the digest "
                                + plain
                                + ", but the image's configuration promises "
                                + content.diffId(),
                        null,
                        content.digest().isPresent());
            }
        }

        private void handOver(ByteBuffer chunk, RunningHash plainHash) throws IOException {
            plainBytes += chunk.position();
            if (plainBytes > maxPlainBytes) {
                throw new DamagedLayerException(
                        "its "
                                + content.sizeBytes()
                                + " bytes decompress to more than "
                                + maxPlainBytes
                                + ": this looks like a decompression bomb");
            }
            plainHash.update(chunk.duplicate().flip());
            int length = chunk.position();
            ring.put(chunk);
            meter.unpacked(length);
        }
    }

    /**
     * Unpacks a layer into an empty directory. When it throws, the directory's content is rubbish
     * for the caller to delete.
     *
     * @param root the empty directory to fill
     * @throws ImageException with the layer, the entry and the reason: FAILED_PRECONDITION for a
     *     layer that is damaged or hostile, CANCELLED after an interrupt, and whatever the layer's
     *     source throws
     */
    public UnpackedLayer unpack(LayerContent content, Path root, Parents parents) {
        return unpack(content, root, parents, Meter.none());
    }

    /** As above, telling how it goes on. */
    public UnpackedLayer unpack(LayerContent content, Path root, Parents parents, Meter meter) {
        ChunkRing ring = new ChunkRing(CHUNKS, CHUNK_BYTES);
        boolean started = false;
        try {
            Reading reading = new Reading(content, ring, meter);
            workers.execute(reading);
            started = true;
            try {
                return write(content, ring, reading, root, parents);
            } catch (Throwable e) {
                ring.fail(e);
                if (content.isOneOfSeveral() && isRefusal(e) && reading.awaitVerdict()) {
                    throw asPromised((ImageException) e);
                }
                reading.stop();
                throw e;
            }
        } finally {
            if (!started) {
                ring.release();
            }
            ring.release();
        }
    }

    private static boolean isRefusal(@Nullable Throwable failure) {
        return failure instanceof ImageException
                && failure.getCause() instanceof DamagedLayerException;
    }

    private static ImageException asPromised(ImageException refusal) {
        String message = String.valueOf(refusal.getMessage());
        return new ImageException(
                refusal.kind(), message, new DamagedLayerException(message, refusal, true));
    }

    private UnpackedLayer write(
            LayerContent content, ChunkRing ring, Reading reading, Path root, Parents parents) {
        TarReader tar = new TarReader(ring, limits);
        TarEntry entry = null;
        try (LayerWriter writer =
                new LayerWriter(files, files.open(root, DIRECTORY, 0), umask, new Below(parents))) {
            while ((entry = tar.next()) != null) {
                writer.write(entry, tar);
            }
            if (ring.next() != null) {
                throw new IllegalStateException("the tar reader left something");
            }
            LayerWriter.Totals totals = writer.finish();
            DiskUsage usage =
                    writer.needsRecount()
                            ? DiskUsage.of(files, root)
                            : new DiskUsage(totals.allocatedBytes(), totals.inodes());
            return new UnpackedLayer(
                    known(reading.digest),
                    known(reading.diffId),
                    reading.compression,
                    content.sizeBytes(),
                    reading.plainBytes,
                    tar.entries(),
                    usage.bytes(),
                    usage.inodes(),
                    totals.dependsOnPosition(),
                    totals.rootGiven(),
                    totals.hidesAllBelow(),
                    totals.droppedAttributes());
        } catch (IOException | LinuxException e) {
            Throwable cause = ring.failure();
            throw explained(content, entry, cause != null ? cause : e, cause == null);
        }
    }

    private static Digest known(@Nullable Digest digest) {
        if (digest == null) {
            throw new IllegalStateException("the stream ended without a digest");
        }
        return digest;
    }

    /** Waits for the layers below as {@link LayerWriter} wants them. */
    private final class Below implements LayerWriter.Below {
        private final Parents parents;

        Below(Parents parents) {
            this.parents = parents;
        }

        @Override
        public boolean isEmpty() {
            return parents.isEmpty();
        }

        @Override
        public LowerLayers open() throws IOException {
            try {
                return new LowerLayers(files, parents.directories());
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new InterruptedIOException("cancelled");
            }
        }
    }

    /**
     * @param writing whether the failure came from the entry rather than from the bytes before it
     */
    private static RuntimeException explained(
            LayerContent content, @Nullable TarEntry entry, Throwable cause, boolean writing) {
        String where =
                "layer "
                        + content.name()
                        + (writing && entry != null ? ", entry '" + shown(entry.path()) + "'" : "");
        return switch (cause) {
            case InterruptedIOException e ->
                    new ImageException(ErrorKind.CANCELLED, where + ": unpacking was cancelled", e);
            case DamagedLayerException e ->
                    new ImageException(
                            ErrorKind.FAILED_PRECONDITION,
                            where + " is refused: " + e.getMessage(),
                            e);
            case LinuxException e ->
                    new ImageException(
                            e.kind(), where + " cannot be unpacked: " + e.getMessage(), e);
            case CremaException e -> e;
            case IOException e ->
                    new ImageException(
                            ErrorKind.UNAVAILABLE, where + " cannot be read: " + e.getMessage(), e);
            default ->
                    new ImageException(
                            ErrorKind.INTERNAL, where + " cannot be unpacked: " + cause, cause);
        };
    }

    /** The permission bits that the kernel takes from new files of this process. */
    private static int umask() {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
                if (line.startsWith("Umask:")) {
                    return Integer.parseInt(line.substring("Umask:".length()).trim(), 8);
                }
            }
            // Kernels before 4.7 do not tell; assume the worst, which only costs system calls.
            return 0777;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
