package io.crema.e2e.image;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * An image for one platform: configuration, manifest and layers. The same parts give the same
 * digests.
 *
 * @param settings the configuration's {@code config} object: Cmd, Env, User and so on
 */
public record OciImage(String architecture, Map<String, Object> settings, List<Layer> layers) {
    public static final String MANIFEST = "application/vnd.oci.image.manifest.v1+json";
    public static final String INDEX = "application/vnd.oci.image.index.v1+json";
    static final String CONFIG = "application/vnd.oci.image.config.v1+json";

    private static final ObjectMapper JSON = new ObjectMapper();

    public OciImage {
        settings = Map.copyOf(settings);
        layers = List.copyOf(layers);
    }

    /** An image for this machine that runs a command of busybox. */
    public static OciImage of(List<String> command, Layer... layers) {
        return new OciImage(
                localArchitecture(),
                Map.of(
                        "Cmd",
                        command,
                        "Env",
                        List.of(
                                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")),
                List.of(layers));
    }

    public OciImage with(String key, Object value) {
        Map<String, Object> changed = new TreeMap<>(settings);
        changed.put(key, value);
        return new OciImage(architecture, changed, layers);
    }

    public OciImage forArchitecture(String other) {
        return new OciImage(other, settings, layers);
    }

    public Blob config() {
        return new Blob(
                CONFIG,
                json(
                        object(
                                "architecture",
                                architecture,
                                "config",
                                new TreeMap<>(settings),
                                "created",
                                "1970-01-01T00:00:00Z",
                                "os",
                                "linux",
                                "rootfs",
                                object(
                                        "diff_ids",
                                        layers.stream().map(Layer::diffId).toList(),
                                        "type",
                                        "layers"))));
    }

    public Blob manifest() {
        return new Blob(
                MANIFEST,
                json(
                        object(
                                "config",
                                config().descriptor(),
                                "layers",
                                layers.stream().map(layer -> layer.blob().descriptor()).toList(),
                                "mediaType",
                                MANIFEST,
                                "schemaVersion",
                                2)));
    }

    /** Everything but the manifest. */
    public List<Blob> blobs() {
        List<Blob> blobs = new ArrayList<>();
        blobs.add(config());
        layers.forEach(layer -> blobs.add(layer.blob()));
        return blobs;
    }

    /** An index of images for several platforms. */
    public static Blob index(List<OciImage> images) {
        return new Blob(
                INDEX,
                json(
                        object(
                                "manifests",
                                images.stream().map(OciImage::platformDescriptor).toList(),
                                "mediaType",
                                INDEX,
                                "schemaVersion",
                                2)));
    }

    Map<String, Object> platformDescriptor() {
        Map<String, Object> descriptor = manifest().descriptor();
        descriptor.put("platform", object("architecture", architecture, "os", "linux"));
        return descriptor;
    }

    /** This machine's architecture in the words of images. */
    public static String localArchitecture() {
        String name = System.getProperty("os.arch");
        return switch (name) {
            case "amd64", "x86_64" -> "amd64";
            case "aarch64" -> "arm64";
            default -> name;
        };
    }

    static byte[] json(Object value) {
        try {
            return JSON.writeValueAsBytes(value);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    static Map<String, Object> object(Object... pairs) {
        Map<String, Object> map = new TreeMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            map.put((String) pairs[i], pairs[i + 1]);
        }
        return map;
    }
}
