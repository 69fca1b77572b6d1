package io.crema.image.registry;

import java.util.List;
import java.util.Map;

/**
 * The manifest of one image for one platform: its configuration and its layers, lowest first
 * (image-spec, manifest.md).
 */
public record ImageManifest(
        ContentDescriptor config, List<ContentDescriptor> layers, Map<String, String> annotations) {
    public ImageManifest {
        layers = List.copyOf(layers);
        annotations = Map.copyOf(annotations);
    }
}
