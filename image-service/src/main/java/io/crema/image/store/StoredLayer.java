package io.crema.image.store;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.Digest;
import io.crema.image.layer.UnpackedLayer;

/**
 * A layer as the store holds it, and its record.
 *
 * @param key the name of its directory: the hex of its diff id, or of its chain id when the files
 *     depend on the layers below
 * @param digest of the compressed bytes it came from
 * @param compressedBytes their number
 * @param allocatedBytes what its files occupy on disk
 * @param dependsOnPosition whether it fits above its own parents only
 * @param rootGiven whether the layer says what the root directory is like
 * @param hidesAllBelow whether nothing of the layers below shows
 */
record StoredLayer(
        String key,
        Digest diffId,
        Digest digest,
        long compressedBytes,
        long allocatedBytes,
        long inodes,
        boolean dependsOnPosition,
        boolean rootGiven,
        boolean hidesAllBelow) {
    static StoredLayer of(String key, UnpackedLayer unpacked) {
        return new StoredLayer(
                key,
                unpacked.diffId(),
                unpacked.digest(),
                unpacked.compressedBytes(),
                unpacked.allocatedBytes(),
                unpacked.inodes(),
                unpacked.dependsOnPosition(),
                unpacked.rootGiven(),
                unpacked.hidesAllBelow());
    }

    ObjectNode toJson() {
        return JsonNodeFactory.instance
                .objectNode()
                .put("key", key)
                .put("diffId", diffId.toString())
                .put("digest", digest.toString())
                .put("compressedBytes", compressedBytes)
                .put("allocatedBytes", allocatedBytes)
                .put("inodes", inodes)
                .put("dependsOnPosition", dependsOnPosition)
                .put("rootGiven", rootGiven)
                .put("hidesAllBelow", hidesAllBelow);
    }

    /**
     * @throws IllegalArgumentException when something is missing or malformed
     */
    static StoredLayer ofJson(JsonNode json) {
        return new StoredLayer(
                Fields.text(json, "key"),
                Digest.parse(Fields.text(json, "diffId")),
                Digest.parse(Fields.text(json, "digest")),
                Fields.number(json, "compressedBytes"),
                Fields.number(json, "allocatedBytes"),
                Fields.number(json, "inodes"),
                Fields.truth(json, "dependsOnPosition"),
                Fields.truth(json, "rootGiven"),
                Fields.truth(json, "hidesAllBelow"));
    }
}
