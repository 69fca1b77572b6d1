package io.crema.image.store;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.Digest;
import io.crema.image.layer.ContentHash;
import io.crema.image.registry.MediaTypes;
import io.crema.image.registry.ResolvedManifest;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** The manifest of an image that came without one, as docker save writes them. */
final class MadeManifest {
    private MadeManifest() {}

    static ResolvedManifest of(
            byte[] configuration, Digest configurationDigest, List<StoredLayer> layers) {
        ObjectNode manifest = JsonNodeFactory.instance.objectNode();
        manifest.put("schemaVersion", 2);
        manifest.put("mediaType", MediaTypes.OCI_MANIFEST);
        manifest.putObject("config")
                .put("mediaType", MediaTypes.OCI_CONFIG)
                .put("digest", configurationDigest.toString())
                .put("size", configuration.length);
        ArrayNode list = manifest.putArray("layers");
        for (StoredLayer layer : layers) {
            list.addObject()
                    .put(
                            "mediaType",
                            layer.digest().equals(layer.diffId())
                                    ? MediaTypes.OCI_LAYER
                                    : MediaTypes.OCI_LAYER_GZIP)
                    .put("digest", layer.digest().toString())
                    .put("size", layer.compressedBytes());
        }
        byte[] content = manifest.toString().getBytes(StandardCharsets.UTF_8);
        return new ResolvedManifest(MediaTypes.OCI_MANIFEST, ContentHash.of(content), content);
    }
}
