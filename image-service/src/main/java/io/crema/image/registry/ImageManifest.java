package io.crema.image.registry;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The manifest of one image for one platform: its configuration and its layers, lowest first
 * (image-spec, manifest.md); or that of an artifact, whose layers are files of any kind.
 *
 * @param artifactType of an artifact, never blank; empty for an image
 */
public record ImageManifest(
        ContentDescriptor config,
        List<ContentDescriptor> layers,
        Map<String, String> annotations,
        Optional<String> artifactType) {
    public ImageManifest {
        layers = List.copyOf(layers);
        annotations = Map.copyOf(annotations);
    }

    /** The manifest of an image. */
    public ImageManifest(
            ContentDescriptor config,
            List<ContentDescriptor> layers,
            Map<String, String> annotations) {
        this(config, layers, annotations, Optional.empty());
    }
}
