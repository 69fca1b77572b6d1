package io.crema.image.store;

import io.crema.base.ImageId;
import io.crema.image.Image;
import io.crema.image.layer.DiskUsage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** All images at one moment; immutable, so readers take no lock. */
final class Catalog {
    /** Shorter prefixes of ids are more likely names. */
    private static final int SHORTEST_ID = 4;

    private final Map<ImageId, ImageRecord> records;
    private final Map<ImageId, Image> images = new LinkedHashMap<>();
    private final Map<String, ImageId> byName = new HashMap<>();
    private final TreeMap<String, ImageId> byIdText = new TreeMap<>();
    private final DiskUsage usage;

    /**
     * @param bookkeeping the disk space of all but the layers' files
     */
    Catalog(
            Collection<ImageRecord> all,
            StorePaths paths,
            PinnedNames pinned,
            DiskUsage bookkeeping) {
        Map<ImageId, ImageRecord> byId = new LinkedHashMap<>();
        Set<String> layersSeen = new HashSet<>();
        long bytes = bookkeeping.bytes();
        long inodes = bookkeeping.inodes();
        for (ImageRecord record : all) {
            byId.put(record.id(), record);
            images.put(record.id(), image(record, paths, pinned));
            byIdText.put(record.id().value(), record.id());
            record.tags().forEach(name -> byName.put(name, record.id()));
            record.digests().forEach(name -> byName.put(name, record.id()));
            for (StoredLayer layer : record.layers()) {
                if (layersSeen.add(layer.key())) {
                    bytes += layer.allocatedBytes();
                    inodes += layer.inodes();
                }
            }
        }
        this.records = byId;
        this.usage = new DiskUsage(bytes, inodes);
    }

    private static Image image(ImageRecord record, StorePaths paths, PinnedNames pinned) {
        List<Path> directories = new ArrayList<>(record.layers().size());
        for (StoredLayer layer : record.layers()) {
            directories.add(StorePaths.files(paths.layer(layer.key())));
        }
        return new Image(
                record.id(),
                record.tags(),
                record.digests(),
                record.manifestDigest(),
                record.sizeBytes(),
                pinned.anyOf(record.tags()) || pinned.anyOf(record.digests()),
                record.createdAt(),
                record.configuration(),
                directories,
                record.artifactType());
    }

    List<Image> images() {
        return List.copyOf(images.values());
    }

    Optional<Image> image(ImageId id) {
        return Optional.ofNullable(images.get(id));
    }

    Optional<ImageRecord> record(ImageId id) {
        return Optional.ofNullable(records.get(id));
    }

    Collection<ImageRecord> records() {
        return records.values();
    }

    /** By a full name as records have it: with a tag, or with a digest. */
    Optional<ImageId> byName(String name) {
        return Optional.ofNullable(byName.get(name));
    }

    /** By an id or the beginning of exactly one. */
    Optional<ImageId> byIdPrefix(String prefix) {
        if (prefix.length() < SHORTEST_ID) {
            return Optional.empty();
        }
        String first = byIdText.ceilingKey(prefix);
        if (first == null || !first.startsWith(prefix)) {
            return Optional.empty();
        }
        String second = byIdText.higherKey(first);
        return second != null && second.startsWith(prefix)
                ? Optional.empty()
                : Optional.ofNullable(byIdText.get(first));
    }

    boolean refersToLayer(String key) {
        for (ImageRecord record : records.values()) {
            for (StoredLayer layer : record.layers()) {
                if (layer.key().equals(key)) {
                    return true;
                }
            }
        }
        return false;
    }

    DiskUsage usage() {
        return usage;
    }
}
