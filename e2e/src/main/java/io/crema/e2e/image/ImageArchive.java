package io.crema.e2e.image;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Writes images to files: as an OCI layout, as the same in a tar, and as docker save does. */
public final class ImageArchive {
    private static final byte[] LAYOUT =
            "{\"imageLayoutVersion\":\"1.0.0\"}".getBytes(StandardCharsets.UTF_8);

    private ImageArchive() {}

    /**
     * An OCI archive.
     *
     * @param reference name in the annotation {@code org.opencontainers.image.ref.name}
     */
    public static void writeOci(OciImage image, String reference, Path archive) {
        write(archive, ociFiles(List.of(image), reference));
    }

    /** An OCI layout directory; several images become one index. */
    public static void writeLayout(List<OciImage> images, String reference, Path directory) {
        ociFiles(images, reference)
                .forEach((name, content) -> {
                    try {
                        Path file = directory.resolve(name);
                        Files.createDirectories(file.getParent());
                        Files.write(file, content);
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                });
    }

    /** What {@code docker save} writes: manifest.json, plain layers and the configuration. */
    public static void writeDocker(
            OciImage image, List<byte[]> tars, List<String> names, Path archive) {
        Map<String, byte[]> files = new TreeMap<>();
        List<String> layers = new ArrayList<>();
        for (byte[] tar : tars) {
            String name = Blob.sha256(tar) + "/layer.tar";
            files.put(name, tar);
            layers.add(name);
        }
        Blob config = image.config();
        files.put(config.hex() + ".json", config.content());
        files.put(
                "manifest.json",
                OciImage.json(
                        List.of(
                                OciImage.object(
                                        "Config",
                                        config.hex() + ".json",
                                        "Layers",
                                        layers,
                                        "RepoTags",
                                        names))));
        write(archive, files);
    }

    private static Map<String, byte[]> ociFiles(List<OciImage> images, String reference) {
        Map<String, byte[]> files = new TreeMap<>();
        for (OciImage image : images) {
            image.blobs().forEach(blob -> put(files, blob));
            put(files, image.manifest());
        }
        Map<String, Object> entry;
        if (images.size() == 1) {
            entry = images.getFirst().platformDescriptor();
        } else {
            Blob index = OciImage.index(images);
            put(files, index);
            entry = index.descriptor();
        }
        entry.put("annotations", OciImage.object("org.opencontainers.image.ref.name", reference));
        files.put("oci-layout", LAYOUT);
        files.put(
                "index.json",
                OciImage.json(OciImage.object("manifests", List.of(entry), "schemaVersion", 2)));
        return files;
    }

    private static void put(Map<String, byte[]> files, Blob blob) {
        files.put("blobs/sha256/" + blob.hex(), blob.content());
    }

    private static void write(Path archive, Map<String, byte[]> files) {
        try (TarWriter tar = new TarWriter(Files.newOutputStream(archive))) {
            for (Map.Entry<String, byte[]> file : files.entrySet()) {
                tar.file(file.getKey(), file.getValue(), 0644);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
