package io.crema.image.store;

import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What the store does before anybody may use it: directories, lock, and which images are whole. */
final class StoreOpening {
    private static final Logger LOG = LoggerFactory.getLogger(StoreOpening.class);

    private final StorePaths paths;
    private final Linux linux;

    StoreOpening(StorePaths paths, Linux linux) {
        this.paths = paths;
        this.linux = linux;
    }

    void makeDirectories() throws IOException {
        Files.createDirectories(paths.root());
        // Layers have set-id programs of strangers: nobody but root may come near them.
        var forOwner =
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
        for (Path directory :
                List.of(
                        paths.blobs(),
                        paths.layers(),
                        paths.images(),
                        paths.ingest(),
                        paths.partial())) {
            if (!Files.isDirectory(directory)) {
                Files.createDirectory(directory, forOwner);
            }
        }
        Files.createDirectories(paths.empty(0));
        Files.createDirectories(paths.empty(1));
    }

    Descriptor lock() {
        Descriptor file =
                linux.open(paths.lock(), Set.of(OpenFlag.READ_WRITE, OpenFlag.CREATE), 0600);
        try {
            if (linux.tryLock(file, true)) {
                return file;
            }
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
        file.close();
        throw new ImageException(
                ErrorKind.UNAVAILABLE,
                "another process uses the images at "
                        + paths.root()
                        + "; stop it or give this one a root of its own");
    }

    /** The images that are whole. */
    List<ImageRecord> wholeImages(Records records, LayerStore layers) throws IOException {
        List<ImageRecord> read = records.readAll();
        Map<String, StoredLayer> referenced = new HashMap<>();
        for (ImageRecord record : read) {
            record.layers().forEach(layer -> referenced.put(layer.key(), layer));
        }
        Set<String> present = layers.open(referenced);
        List<ImageRecord> whole = new ArrayList<>(read.size());
        for (ImageRecord record : read) {
            Optional<StoredLayer> missing =
                    record.layers().stream()
                            .filter(layer -> !present.contains(layer.key()))
                            .findFirst();
            if (missing.isEmpty()) {
                whole.add(record);
            } else {
                LOG.warn(
                        "image {} {} is not listed any more: its layer {} is gone from {}; pull it"
                                + " again",
                        record.id(),
                        record.tags(),
                        missing.get().diffId(),
                        paths.layers());
                records.delete(record.id());
            }
        }
        return whole;
    }
}
