package io.crema.image.store;

import io.crema.base.Digest;
import io.crema.base.ImageId;
import java.nio.file.Path;

/**
 * Where everything of the image store lies below its root; pure functions. The root itself is an
 * OCI image layout (image-spec, image-layout.md) of manifests and configurations, without the
 * layers' blobs.
 */
public record StorePaths(Path root) {
    static final String RECORD_SUFFIX = ".json";

    /** Held locked by the one daemon that uses this root. */
    Path lock() {
        return root.resolve("images.lock");
    }

    Path layoutMarker() {
        return root.resolve("oci-layout");
    }

    Path layoutIndex() {
        return root.resolve("index.json");
    }

    Path blobs() {
        return root.resolve("blobs");
    }

    public Path blob(Digest digest) {
        return blobs().resolve(digest.algorithm()).resolve(digest.hex());
    }

    Path layers() {
        return root.resolve("layers");
    }

    Path layer(String key) {
        return layers().resolve(key);
    }

    /** The unpacked files of a layer, in {@link #layer} or in a staging directory. */
    static Path files(Path layer) {
        return layer.resolve("fs");
    }

    static Path layerRecord(Path layer) {
        return layer.resolve("record.json");
    }

    Path images() {
        return root.resolve("images");
    }

    Path image(ImageId id) {
        return images().resolve(id + RECORD_SUFFIX);
    }

    /** Everything in here is unfinished or on its way out; whatever a start finds is deleted. */
    Path ingest() {
        return root.resolve("ingest");
    }

    /** What {@link Spools} keeps of layers whose pull ended early. */
    Path partial() {
        return root.resolve("partial");
    }

    /** Holds the empty directories. */
    Path empties() {
        return layers().resolve("empty");
    }

    /** One of two empty directories, which stand in where an overlay has too few layers. */
    Path empty(int index) {
        return empties().resolve(Integer.toString(index));
    }
}
