package io.crema.image.store;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.image.layer.LayerArchiver;
import io.crema.image.layer.TarOutput;
import io.crema.image.registry.Json;
import io.crema.image.registry.MediaTypes;
import io.crema.oci.linux.LinuxFiles;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Stream;
import java.util.zip.Deflater;
import java.util.zip.GZIPOutputStream;

/**
 * Writes images as an OCI layout. Layers are stored unpacked and their archives made anew: files
 * and settings are the same, but the layers have other digests, and so has the configuration that
 * names them, which is the image's id. Artifacts are kept as they came and keep theirs.
 */
final class ImageSaving {
    private static final int BUFFER_BYTES = 256 << 10;

    private final LinuxFiles files;
    private final StorePaths paths;
    private final Blobs blobs;

    /** A layer as it was written. */
    private record Written(Digest diffId, Digest digest, long size) {}

    ImageSaving(LinuxFiles files, StorePaths paths, Blobs blobs) {
        this.files = files;
        this.paths = paths;
        this.blobs = blobs;
    }

    /**
     * @param names for each image the names it gets in the layout
     * @param target must not exist; appears whole or not at all
     * @param asDirectory a directory rather than a tar archive of it
     */
    void save(Map<ImageRecord, List<String>> names, Path target, boolean asDirectory)
            throws IOException {
        if (Files.exists(target)) {
            throw new ImageException(
                    ErrorKind.ALREADY_EXISTS,
                    "cannot save to " + target + ": it exists; remove it or choose another name");
        }
        Path staging = target.resolveSibling("." + target.getFileName() + "-" + UUID.randomUUID());
        Files.createDirectory(staging);
        try {
            layout(names, staging);
            if (asDirectory) {
                Files.move(staging, target, StandardCopyOption.ATOMIC_MOVE);
            } else {
                archive(staging, target);
            }
        } finally {
            delete(staging);
        }
    }

    private void layout(Map<ImageRecord, List<String>> names, Path staging) throws IOException {
        Files.createDirectories(staging.resolve("blobs/sha256"));
        Map<String, Written> layers = new HashMap<>();
        ObjectNode index = JsonNodeFactory.instance.objectNode();
        index.put("schemaVersion", 2);
        index.put("mediaType", MediaTypes.OCI_INDEX);
        ArrayNode manifests = index.putArray("manifests");
        for (Map.Entry<ImageRecord, List<String>> entry : names.entrySet()) {
            ImageRecord record = entry.getKey();
            String mediaType;
            byte[] manifest;
            if (record.artifactType().isPresent()) {
                mediaType = record.manifestMediaType();
                manifest = artifact(record, staging);
            } else {
                mediaType = MediaTypes.OCI_MANIFEST;
                manifest = image(record, layers, staging);
            }
            Digest digest = blob(staging, manifest);
            for (String name : entry.getValue()) {
                ObjectNode descriptor = manifests.addObject();
                descriptor.put("mediaType", mediaType);
                descriptor.put("digest", digest.toString());
                descriptor.put("size", manifest.length);
                if (!name.isEmpty()) {
                    descriptor
                            .putObject("annotations")
                            .put("org.opencontainers.image.ref.name", name);
                }
            }
        }
        Files.write(staging.resolve("index.json"), bytes(index));
        Files.writeString(staging.resolve("oci-layout"), "{\"imageLayoutVersion\":\"1.0.0\"}\n");
    }

    private byte[] image(ImageRecord record, Map<String, Written> layers, Path staging)
            throws IOException {
        JsonNode parsed = Json.parse(configuration(record));
        if (!(parsed instanceof ObjectNode configuration)) {
            throw new IOException("the configuration of " + record.id() + " is no JSON object");
        }
        ObjectNode manifest = JsonNodeFactory.instance.objectNode();
        manifest.put("schemaVersion", 2);
        manifest.put("mediaType", MediaTypes.OCI_MANIFEST);
        ObjectNode config = manifest.putObject("config");
        ArrayNode list = manifest.putArray("layers");
        ObjectNode rootfs = configuration.putObject("rootfs");
        rootfs.put("type", "layers");
        ArrayNode diffIds = rootfs.putArray("diff_ids");
        for (StoredLayer layer : record.layers()) {
            Written written = layers.get(layer.key());
            if (written == null) {
                written = layer(layer, staging);
                layers.put(layer.key(), written);
            }
            list.addObject()
                    .put("mediaType", MediaTypes.OCI_LAYER_GZIP)
                    .put("digest", written.digest.toString())
                    .put("size", written.size);
            diffIds.add(written.diffId.toString());
        }
        byte[] changed = bytes(configuration);
        config.put("mediaType", MediaTypes.OCI_CONFIG)
                .put("digest", blob(staging, changed).toString())
                .put("size", changed.length);
        return bytes(manifest);
    }

    /** Whichever of the image's blobs has its id as digest. */
    private byte[] configuration(ImageRecord record) throws IOException {
        Digest digest = Digest.sha256(record.id().value());
        return blobs.read(digest).orElseGet(() -> missing(record, digest));
    }

    private static byte[] missing(ImageRecord record, Digest digest) {
        throw new ImageException(
                ErrorKind.INTERNAL,
                "image " + record.id() + " cannot be saved: its blob " + digest + " is missing");
    }

    private Written layer(StoredLayer layer, Path staging) throws IOException {
        MessageDigest plain = sha256();
        MessageDigest compressed = sha256();
        Path file = staging.resolve("blobs/sha256/.layer");
        try (OutputStream out =
                        new BufferedOutputStream(Files.newOutputStream(file), BUFFER_BYTES);
                OutputStream zipped = new FastGzip(new DigestOutputStream(out, compressed));
                TarOutput tar = new TarOutput(new DigestOutputStream(zipped, plain))) {
            LayerArchiver.write(
                    files,
                    StorePaths.files(paths.layer(layer.key())),
                    layer.rootGiven(),
                    layer.hidesAllBelow(),
                    tar);
        }
        Digest digest = digest(compressed);
        Files.move(
                file,
                staging.resolve("blobs/sha256/" + digest.hex()),
                StandardCopyOption.REPLACE_EXISTING);
        return new Written(
                digest(plain), digest, Files.size(staging.resolve("blobs/sha256/" + digest.hex())));
    }

    /** A saved image is read once or twice: time matters more than the last tenth of its size. */
    private static final class FastGzip extends GZIPOutputStream {
        FastGzip(OutputStream out) throws IOException {
            super(out, BUFFER_BYTES);
            def.setLevel(Deflater.BEST_SPEED);
        }
    }

    /** All of an artifact is there as it came: manifest, configuration and files. */
    private byte[] artifact(ImageRecord record, Path staging) throws IOException {
        for (Digest digest : record.blobs()) {
            byte[] content = blobs.read(digest).orElseGet(() -> missing(record, digest));
            Files.write(staging.resolve("blobs/sha256/" + digest.hex()), content);
        }
        Path root = StorePaths.files(paths.layer(record.layers().getFirst().key()));
        try (Stream<Path> tree = Files.walk(root)) {
            for (Path file : tree.filter(Files::isRegularFile).toList()) {
                MessageDigest hash = sha256();
                Path copy = staging.resolve("blobs/sha256/.file");
                try (OutputStream out = new DigestOutputStream(Files.newOutputStream(copy), hash)) {
                    Files.copy(file, out);
                }
                Files.move(
                        copy,
                        staging.resolve("blobs/sha256/" + digest(hash).hex()),
                        StandardCopyOption.REPLACE_EXISTING);
            }
        }
        return blobs.read(record.manifestDigest())
                .orElseGet(() -> missing(record, record.manifestDigest()));
    }

    private static Digest blob(Path staging, byte[] content) throws IOException {
        MessageDigest hash = sha256();
        hash.update(content);
        Digest digest = digest(hash);
        Files.write(staging.resolve("blobs/sha256/" + digest.hex()), content);
        return digest;
    }

    private static void archive(Path layout, Path target) throws IOException {
        Path partial = target.resolveSibling("." + target.getFileName() + "-" + UUID.randomUUID());
        try {
            try (OutputStream out =
                            new BufferedOutputStream(
                                    Files.newOutputStream(partial, StandardOpenOption.CREATE_NEW),
                                    BUFFER_BYTES);
                    TarOutput tar = new TarOutput(out);
                    Stream<Path> tree = Files.walk(layout)) {
                for (Path file : tree.filter(Files::isRegularFile).sorted().toList()) {
                    long size = Files.size(file);
                    tar.plainFile(layout.relativize(file).toString(), size);
                    Files.copy(file, out);
                    tar.pad(size);
                }
            }
            // A hard link does not replace what somebody put there meanwhile.
            Files.createLink(target, partial);
        } catch (FileAlreadyExistsException e) {
            throw new ImageException(
                    ErrorKind.ALREADY_EXISTS, "cannot save to " + target + ": it exists", e);
        } finally {
            Files.deleteIfExists(partial);
        }
    }

    private static void delete(Path directory) throws IOException {
        if (!Files.exists(directory)) {
            return;
        }
        List<Path> deepestFirst;
        try (Stream<Path> tree = Files.walk(directory)) {
            deepestFirst = tree.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path path : deepestFirst) {
            Files.delete(path);
        }
    }

    private static byte[] bytes(ObjectNode json) {
        return json.toString().getBytes(StandardCharsets.UTF_8);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Digest digest(MessageDigest hash) {
        return Digest.sha256(HexFormat.of().formatHex(hash.digest()));
    }
}
