package io.crema.image.store;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.Digest;
import io.crema.base.ImageId;
import io.crema.image.ImageConfiguration;
import io.crema.image.registry.ImageSignature;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * An image as its file below {@code images/} describes it. The file is written last, after
 * everything it refers to is on disk, and deleted first: while it is there, the image is whole.
 *
 * @param tags full names with tags
 * @param digests full names with digests
 * @param blobs manifests, indexes and the configuration that this image needs
 * @param layers lowest first, as in the manifest
 * @param namedAt when a name was given last; where two records claim one name after a crash, the
 *     later one has it
 * @param artifactType of an artifact; empty for an image
 * @param provenance where it came from
 */
record ImageRecord(
        ImageId id,
        List<String> tags,
        List<String> digests,
        String manifestMediaType,
        Digest manifestDigest,
        long manifestBytes,
        List<Digest> blobs,
        List<StoredLayer> layers,
        long sizeBytes,
        Instant createdAt,
        Instant namedAt,
        ImageConfiguration configuration,
        Optional<String> artifactType,
        Provenance provenance) {
    private static final int VERSION = 1;

    ImageRecord {
        tags = List.copyOf(tags);
        digests = List.copyOf(digests);
        blobs = List.copyOf(blobs);
        layers = List.copyOf(layers);
    }

    ImageRecord named(List<String> newTags, List<String> newDigests, Instant now) {
        return new ImageRecord(
                id,
                newTags,
                newDigests,
                manifestMediaType,
                manifestDigest,
                manifestBytes,
                blobs,
                layers,
                sizeBytes,
                createdAt,
                now,
                configuration,
                artifactType,
                provenance);
    }

    ImageRecord withBlobs(List<Digest> newBlobs) {
        return new ImageRecord(
                id,
                tags,
                digests,
                manifestMediaType,
                manifestDigest,
                manifestBytes,
                newBlobs,
                layers,
                sizeBytes,
                createdAt,
                namedAt,
                configuration,
                artifactType,
                provenance);
    }

    ImageRecord from(Provenance newProvenance) {
        return new ImageRecord(
                id,
                tags,
                digests,
                manifestMediaType,
                manifestDigest,
                manifestBytes,
                blobs,
                layers,
                sizeBytes,
                createdAt,
                namedAt,
                configuration,
                artifactType,
                newProvenance);
    }

    byte[] toBytes() {
        ObjectNode json = JsonNodeFactory.instance.objectNode();
        json.put("version", VERSION);
        json.put("id", id.value());
        list(json, "tags", tags);
        list(json, "digests", digests);
        json.put("manifestMediaType", manifestMediaType);
        json.put("manifestDigest", manifestDigest.toString());
        json.put("manifestBytes", manifestBytes);
        ArrayNode blobList = json.putArray("blobs");
        blobs.forEach(blob -> blobList.add(blob.toString()));
        ArrayNode layerList = json.putArray("layers");
        layers.forEach(layer -> layerList.add(layer.toJson()));
        json.put("sizeBytes", sizeBytes);
        json.put("createdAt", createdAt.toString());
        json.put("namedAt", namedAt.toString());
        ObjectNode config = json.putObject("configuration");
        config.put("architecture", configuration.architecture());
        config.put("os", configuration.os());
        config.put("user", configuration.user());
        list(config, "environment", configuration.environment());
        list(config, "entrypoint", configuration.entrypoint());
        list(config, "command", configuration.command());
        config.put("workingDirectory", configuration.workingDirectory());
        config.put("stopSignal", configuration.stopSignal());
        list(config, "volumes", List.copyOf(configuration.volumes()));
        ObjectNode labels = config.putObject("labels");
        configuration.labels().forEach(labels::put);
        artifactType.ifPresent(type -> json.put("artifactType", type));
        list(json, "transports", List.copyOf(provenance.transports()));
        ArrayNode signatures = json.putArray("signatures");
        provenance.signatures().forEach(signature -> signatures.add(signature.toJson()));
        return json.toPrettyString().getBytes(StandardCharsets.UTF_8);
    }

    private static void list(ObjectNode json, String name, List<String> values) {
        ArrayNode list = json.putArray(name);
        values.forEach(list::add);
    }

    /**
     * @throws IllegalArgumentException saying which field is wrong, or that a newer version wrote
     *     it
     */
    static ImageRecord ofJson(JsonNode json) {
        long version = Fields.number(json, "version");
        if (version != VERSION) {
            throw new IllegalArgumentException(
                    "it has version " + version + ", this program knows " + VERSION);
        }
        List<Digest> blobs = new ArrayList<>();
        for (String blob : Fields.texts(json, "blobs")) {
            blobs.add(Digest.parse(blob));
        }
        List<StoredLayer> layers = new ArrayList<>();
        for (JsonNode layer : json.path("layers")) {
            layers.add(StoredLayer.ofJson(layer));
        }
        JsonNode config = json.path("configuration");
        return new ImageRecord(
                new ImageId(Fields.text(json, "id")),
                Fields.texts(json, "tags"),
                Fields.texts(json, "digests"),
                Fields.text(json, "manifestMediaType"),
                Digest.parse(Fields.text(json, "manifestDigest")),
                Fields.number(json, "manifestBytes"),
                blobs,
                layers,
                Fields.number(json, "sizeBytes"),
                Instant.parse(Fields.text(json, "createdAt")),
                Instant.parse(Fields.text(json, "namedAt")),
                new ImageConfiguration(
                        Fields.text(config, "architecture"),
                        Fields.text(config, "os"),
                        Fields.text(config, "user"),
                        Fields.texts(config, "environment"),
                        Fields.texts(config, "entrypoint"),
                        Fields.texts(config, "command"),
                        Fields.text(config, "workingDirectory"),
                        Fields.text(config, "stopSignal"),
                        Set.copyOf(Fields.texts(config, "volumes")),
                        Fields.textsByName(config, "labels")),
                json.has("artifactType")
                        ? Optional.of(Fields.text(json, "artifactType"))
                        : Optional.empty(),
                provenance(json));
    }

    private static Provenance provenance(JsonNode json) {
        List<ImageSignature> signatures = new ArrayList<>();
        for (JsonNode signature : json.path("signatures")) {
            signatures.add(ImageSignature.ofJson(signature));
        }
        // The first version wrote none of this.
        return json.has("transports")
                ? new Provenance(Set.copyOf(Fields.texts(json, "transports")), signatures)
                : Provenance.registry(signatures);
    }
}
