package io.crema.image.registry;

import java.util.List;
import java.util.Map;

/** A list of manifests or further indexes, usually one for each platform (image-index.md). */
public record ImageIndex(List<ContentDescriptor> manifests, Map<String, String> annotations) {
    public ImageIndex {
        manifests = List.copyOf(manifests);
        annotations = Map.copyOf(annotations);
    }
}
