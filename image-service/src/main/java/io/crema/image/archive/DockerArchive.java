package io.crema.image.archive;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.crema.image.layer.ContentHash;
import io.crema.image.reference.ImageReference;
import io.crema.image.registry.Json;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Reads what docker save writes: {@code manifest.json} names the configuration and the layers of
 * each image. It says no digests of layers; the configuration's diff ids verify them.
 */
final class DockerArchive {
    private static final int MAX_MANIFEST_BYTES = 4 << 20;
    private static final int MAX_CONFIGURATION_BYTES = 8 << 20;
    private static final int MAX_LAYERS = 500;
    private static final int HEX_LENGTH = 64;

    private final ImageArchive archive;

    DockerArchive(ImageArchive archive) {
        this.archive = archive;
    }

    List<ArchivedImage> images() throws IOException {
        JsonNode entries;
        try {
            entries = Json.parse(archive.read(ImageArchive.DOCKER_MANIFEST, MAX_MANIFEST_BYTES));
        } catch (JsonProcessingException e) {
            throw archive.damaged("manifest.json is not JSON: " + e.getOriginalMessage());
        }
        if (!entries.isArray() || entries.isEmpty()) {
            throw archive.damaged("manifest.json names no image");
        }
        List<ArchivedImage> images = new ArrayList<>();
        for (JsonNode entry : entries) {
            images.add(image(entry));
        }
        return images;
    }

    private ArchivedImage image(JsonNode entry) throws IOException {
        String configurationName = clean(entry.path("Config").asText(""));
        byte[] configuration = archive.read(configurationName, MAX_CONFIGURATION_BYTES);
        String hex = hexOf(configurationName);
        if (hex.length() == HEX_LENGTH && !ContentHash.of(configuration).hex().equals(hex)) {
            throw archive.damaged(configurationName + " is not what its name says: it is damaged");
        }
        if (entry.path("Layers").size() > MAX_LAYERS) {
            throw archive.damaged("an image has more than " + MAX_LAYERS + " layers");
        }
        List<ArchivedImage.Layer> layers = new ArrayList<>();
        for (JsonNode layer : entry.path("Layers")) {
            String name = clean(layer.asText(""));
            layers.add(
                    new ArchivedImage.Layer(
                            Optional.empty(), archive.size(name), () -> archive.open(name)));
        }
        List<ImageReference> tags = new ArrayList<>();
        for (JsonNode tag : entry.path("RepoTags")) {
            ArchivedName.full(tag.asText("")).ifPresent(tags::add);
        }
        return new ArchivedImage(
                tags, Optional.empty(), List.of(), configuration, layers, Optional.empty());
    }

    /** Names as the archive's index has them. */
    private String clean(String name) {
        String clean = name.startsWith("./") ? name.substring(2) : name;
        if (clean.isEmpty() || clean.startsWith("/") || ("/" + clean + "/").contains("/../")) {
            throw archive.damaged("manifest.json names a file outside the archive");
        }
        return clean;
    }

    /**
     * The digest that a configuration's name states: {@code <hex>.json} or {@code blobs/…/<hex>}.
     */
    private static String hexOf(String name) {
        String last = name.substring(name.lastIndexOf('/') + 1);
        return last.endsWith(".json") ? last.substring(0, last.length() - ".json".length()) : last;
    }
}
