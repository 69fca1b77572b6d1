package io.crema.image.store;

import io.crema.base.Digest;
import io.crema.image.layer.DiskUsage;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import java.nio.file.Path;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The disk space of everything in the store but the layers' files: records, manifests,
 * configurations and the store's own directories. With many small layers it is most of what there
 * is.
 */
final class Bookkeeping {
    private final LinuxFiles files;
    private final StorePaths paths;

    /** A layer's directory and record never change. */
    private final Map<String, DiskUsage> byLayer = new HashMap<>();

    Bookkeeping(LinuxFiles files, StorePaths paths) {
        this.files = files;
        this.paths = paths;
    }

    /** Looks at each file of the images once; those of layers only when a layer is new. */
    synchronized DiskUsage of(Collection<ImageRecord> records) {
        Sum sum = new Sum();
        for (Path own :
                List.of(
                        paths.root(),
                        paths.lock(),
                        paths.layoutMarker(),
                        paths.layoutIndex(),
                        paths.blobs(),
                        paths.layers(),
                        paths.images(),
                        paths.ingest(),
                        paths.empties(),
                        paths.empty(0),
                        paths.empty(1))) {
            sum.add(own);
        }
        Set<Digest> blobs = new HashSet<>();
        Set<String> algorithms = new HashSet<>();
        Set<String> keys = new HashSet<>();
        for (ImageRecord record : records) {
            sum.add(paths.image(record.id()));
            for (Digest blob : record.blobs()) {
                if (blobs.add(blob)) {
                    sum.add(paths.blob(blob));
                }
                if (algorithms.add(blob.algorithm())) {
                    sum.add(paths.blobs().resolve(blob.algorithm()));
                }
            }
            for (StoredLayer layer : record.layers()) {
                if (keys.add(layer.key())) {
                    sum.add(byLayer.computeIfAbsent(layer.key(), this::ofLayer));
                }
            }
        }
        byLayer.keySet().retainAll(keys);
        return new DiskUsage(sum.bytes, sum.inodes);
    }

    private DiskUsage ofLayer(String key) {
        Sum sum = new Sum();
        sum.add(paths.layer(key));
        sum.add(StorePaths.layerRecord(paths.layer(key)));
        return new DiskUsage(sum.bytes, sum.inodes);
    }

    /** What is not there does not count. */
    private final class Sum {
        private long bytes;
        private long inodes;

        void add(Path path) {
            Optional<FileStatus> status = files.status(path, false);
            if (status.isPresent()) {
                bytes += status.get().blocks512() * 512;
                inodes++;
            }
        }

        void add(DiskUsage usage) {
            bytes += usage.bytes();
            inodes += usage.inodes();
        }
    }
}
