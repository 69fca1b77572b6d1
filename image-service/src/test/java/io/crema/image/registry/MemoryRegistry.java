package io.crema.image.registry;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.crema.base.Deadline;
import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.image.Images.Credentials;
import io.crema.image.layer.ContentHash;
import io.crema.image.reference.ImageName;
import io.crema.image.reference.ImageReference;
import io.crema.image.reference.ShortName;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** A registry without a network, which counts what is fetched and can hold it back. */
public final class MemoryRegistry implements RegistryClient {
    private static final Deadline PATIENCE = Deadline.after(Duration.ofMinutes(10));

    private final Map<String, ResolvedImage> images = new ConcurrentHashMap<>();
    private final Map<Digest, byte[]> blobs = new ConcurrentHashMap<>();
    private final Map<Digest, CountDownLatch> gates = new ConcurrentHashMap<>();
    private final Map<Digest, AtomicInteger> opens = new ConcurrentHashMap<>();
    private final Map<Digest, CountDownLatch> opened = new ConcurrentHashMap<>();
    private final List<ImageSignature> signatures = new CopyOnWriteArrayList<>();
    private final AtomicInteger resolutions = new AtomicInteger();

    /** A layer as it is served: its plain and its compressed bytes. */
    public record Layer(byte[] plain, byte[] compressed) {
        public Digest digest() {
            return ContentHash.of(compressed);
        }
    }

    /** Serves an image; one of that name before is replaced. */
    public ResolvedImage serve(String name, String configFields, List<Layer> layers) {
        StringBuilder diffIds = new StringBuilder();
        List<ContentDescriptor> descriptors = new ArrayList<>();
        for (Layer layer : layers) {
            diffIds.append(diffIds.isEmpty() ? "" : ",");
            diffIds.append('"').append(ContentHash.of(layer.plain())).append('"');
            blobs.put(layer.digest(), layer.compressed());
            descriptors.add(
                    ContentDescriptor.of(
                            MediaTypes.OCI_LAYER_GZIP, layer.digest(), layer.compressed().length));
        }
        String config =
                "{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2026-01-02T03:04:05Z\","
                        + "\"config\":{"
                        + configFields
                        + "},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":["
                        + diffIds
                        + "]}}";
        return serveWith(name, config, descriptors);
    }

    /** Serves an image whose configuration may contradict its layers. */
    public ResolvedImage serveWith(
            String name, String config, List<ContentDescriptor> descriptors) {
        byte[] configBytes = config.getBytes(UTF_8);
        Digest configDigest = ContentHash.of(configBytes);
        blobs.put(configDigest, configBytes);
        ContentDescriptor configDescriptor =
                ContentDescriptor.of(MediaTypes.OCI_CONFIG, configDigest, configBytes.length);
        StringBuilder layers = new StringBuilder();
        for (ContentDescriptor descriptor : descriptors) {
            layers.append(layers.isEmpty() ? "" : ",").append(json(descriptor));
        }
        byte[] manifest =
                ("{\"schemaVersion\":2,\"mediaType\":\""
                                + MediaTypes.OCI_MANIFEST
                                + "\",\"config\":"
                                + json(configDescriptor)
                                + ",\"layers\":["
                                + layers
                                + "]}")
                        .getBytes(UTF_8);
        ImageReference reference = ImageReference.parse(name).withDefaultTag();
        ResolvedImage image =
                new ResolvedImage(
                        reference,
                        List.of(),
                        new ResolvedManifest(
                                MediaTypes.OCI_MANIFEST, ContentHash.of(manifest), manifest),
                        new ImageManifest(configDescriptor, descriptors, Map.of()),
                        new Source(
                                reference,
                                reference.registry(),
                                reference.path(),
                                true,
                                false,
                                Login.anonymous()));
        images.put(reference.toString(), image);
        images.put(
                reference.withDigest(image.digest()).toString(),
                new ResolvedImage(
                        reference.withDigest(image.digest()),
                        List.of(),
                        image.manifest(),
                        image.image(),
                        image.source()));
        return image;
    }

    /** Serves an artifact of files by their titles. */
    public ResolvedImage serveArtifact(String name, String type, Map<String, byte[]> files) {
        byte[] configBytes = "{}".getBytes(UTF_8);
        ContentDescriptor config =
                ContentDescriptor.of(
                        MediaTypes.OCI_EMPTY, ContentHash.of(configBytes), configBytes.length);
        blobs.put(config.digest(), configBytes);
        List<ContentDescriptor> layers = new ArrayList<>();
        files.forEach((title, bytes) -> {
            blobs.put(ContentHash.of(bytes), bytes);
            layers.add(
                    new ContentDescriptor(
                            "text/plain",
                            ContentHash.of(bytes),
                            bytes.length,
                            List.of(),
                            Optional.empty(),
                            title.isEmpty()
                                    ? Map.of()
                                    : Map.of("org.opencontainers.image.title", title)));
        });
        // Only its digest matters: what it says is given beside it.
        byte[] manifest = (name + type + layers).getBytes(UTF_8);
        ImageReference reference = ImageReference.parse(name).withDefaultTag();
        ResolvedImage artifact =
                new ResolvedImage(
                        reference,
                        List.of(),
                        new ResolvedManifest(
                                MediaTypes.OCI_MANIFEST, ContentHash.of(manifest), manifest),
                        new ImageManifest(config, layers, Map.of(), Optional.of(type)),
                        new Source(
                                reference,
                                reference.registry(),
                                reference.path(),
                                true,
                                false,
                                Login.anonymous()));
        images.put(reference.toString(), artifact);
        return artifact;
    }

    private static String json(ContentDescriptor descriptor) {
        return "{\"mediaType\":\""
                + descriptor.mediaType()
                + "\",\"digest\":\""
                + descriptor.digest()
                + "\",\"size\":"
                + descriptor.sizeBytes()
                + "}";
    }

    /** Serves other bytes than those of the digest. */
    public void falsify(Digest digest, byte[] bytes) {
        blobs.put(digest, bytes);
    }

    /** Holds a blob back until {@link #release}. */
    public void hold(Digest digest) {
        gates.put(digest, new CountDownLatch(1));
    }

    public void release(Digest digest) {
        CountDownLatch gate = gates.get(digest);
        if (gate != null) {
            gate.countDown();
        }
    }

    /** How often a blob was asked for. */
    public int opens(Digest digest) {
        AtomicInteger count = opens.get(digest);
        return count == null ? 0 : count.get();
    }

    public int resolutions() {
        return resolutions.get();
    }

    /** Waits until somebody asks for a blob. */
    public void awaitOpened(Digest digest) throws InterruptedException {
        if (!opened.computeIfAbsent(digest, key -> new CountDownLatch(1))
                .await(20, TimeUnit.SECONDS)) {
            throw new AssertionError("nobody asked for " + digest);
        }
    }

    @Override
    public List<ImageReference> candidates(ImageName name) {
        return switch (name) {
            case ImageReference reference -> List.of(reference);
            case ShortName shortName -> List.of(shortName.at("registry.test"));
        };
    }

    @Override
    public ResolvedImage resolve(
            ImageReference reference, Credentials credentials, Deadline deadline) {
        resolutions.incrementAndGet();
        ResolvedImage image = images.get(reference.toString());
        if (image == null) {
            throw new ImageException(ErrorKind.NOT_FOUND, "no image " + reference);
        }
        return image;
    }

    /** Serves signatures of any image. */
    public void sign(ImageSignature signature) {
        signatures.add(signature);
    }

    @Override
    public FoundSignatures signatures(Source source, List<Digest> digests, Deadline deadline) {
        return new FoundSignatures(
                signatures.stream().filter(s -> digests.contains(s.of())).toList(), "in memory");
    }

    @Override
    public byte[] fetchBlob(
            Source source, ContentDescriptor descriptor, int maxBytes, Deadline deadline) {
        return Optional.ofNullable(blobs.get(descriptor.digest())).orElseThrow();
    }

    @Override
    public BlobStream openBlob(
            Source source, ContentDescriptor descriptor, long offset, long end, Deadline deadline) {
        Digest digest = descriptor.digest();
        opens.computeIfAbsent(digest, key -> new AtomicInteger()).incrementAndGet();
        opened.computeIfAbsent(digest, key -> new CountDownLatch(1)).countDown();
        byte[] bytes = blobs.getOrDefault(digest, new byte[0]);
        CountDownLatch gate = gates.getOrDefault(digest, new CountDownLatch(0));
        return new Stream(bytes, (int) offset, gate);
    }

    private static final class Stream extends BlobStream {
        private final byte[] bytes;
        private final CountDownLatch gate;
        private int position;
        private volatile boolean closed;

        Stream(byte[] bytes, int position, CountDownLatch gate) {
            this.bytes = bytes;
            this.position = position;
            this.gate = gate;
        }

        @Override
        public long lengthBytes() {
            return bytes.length;
        }

        @Override
        public long transferredBytes() {
            return position;
        }

        @Override
        public int read(byte[] buffer, int offset, int length) {
            try {
                while (!gate.await(10, TimeUnit.MILLISECONDS)) {
                    if (closed) {
                        throw new ImageException(ErrorKind.CANCELLED, "the stream was closed");
                    }
                    PATIENCE.check("a blob that is held back");
                }
            } catch (InterruptedException e) {
                throw new ImageException(ErrorKind.CANCELLED, "interrupted", e);
            }
            if (position == bytes.length) {
                return -1;
            }
            int count = Math.min(length, bytes.length - position);
            System.arraycopy(bytes, position, buffer, offset, count);
            position += count;
            return count;
        }

        @Override
        public void close() {
            closed = true;
        }
    }

    @Override
    public void close() {}

    /** All names that are served. */
    public Map<String, ResolvedImage> images() {
        return new HashMap<>(images);
    }
}
