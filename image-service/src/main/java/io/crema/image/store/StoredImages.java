package io.crema.image.store;

import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.base.ImageId;
import io.crema.image.Image;
import io.crema.image.ImageException;
import java.io.IOException;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The images that are there: the catalog, its records on disk, and who uses which. Readers take the
 * catalog as it is; all changes go through one lock.
 */
final class StoredImages {
    private static final Logger LOG = LoggerFactory.getLogger(StoredImages.class);

    private final StorePaths paths;
    private final Blobs blobs;
    private final Records records;
    private final Bookkeeping bookkeeping;
    private final LayerStore layers;
    private final ImageNames names;
    private volatile PinnedNames pinned;
    private final Clock clock;
    private final boolean removeUntags;

    /** Guards changes of the catalog, its records on disk, and the uses. */
    private final Object changes = new Object();

    private final Map<String, Set<ImageId>> imagesByUser = new HashMap<>();
    private volatile Catalog catalog;

    /**
     * @param whole the images to begin with
     */
    StoredImages(
            StorePaths paths,
            StoreOptions options,
            Blobs blobs,
            Records records,
            Bookkeeping bookkeeping,
            LayerStore layers,
            ImageNames names,
            List<ImageRecord> whole)
            throws IOException {
        this.paths = paths;
        this.blobs = blobs;
        this.records = records;
        this.bookkeeping = bookkeeping;
        this.layers = layers;
        this.names = names;
        this.pinned = new PinnedNames(options.pinnedNames());
        this.clock = options.clock();
        this.removeUntags = options.removeUntags();
        records.writeIndex(whole);
        this.catalog = new Catalog(whole, paths, pinned, bookkeeping.of(whole));
    }

    /** Takes other patterns of pinned names. */
    void pin(List<String> patterns) {
        synchronized (changes) {
            pinned = new PinnedNames(patterns);
            List<ImageRecord> all = List.copyOf(catalog.records());
            catalog = new Catalog(all, paths, pinned, bookkeeping.of(all));
        }
    }

    /** As of now. */
    Catalog catalog() {
        return catalog;
    }

    Optional<Image> find(String reference) {
        Catalog now = catalog;
        return names.find(now, reference).flatMap(now::image);
    }

    /**
     * Keeps images for a user and tells which, each with those of the references that are tags.
     *
     * @throws ImageException NOT_FOUND for one that is not here
     */
    Map<ImageRecord, List<String>> claim(List<String> references, String user) {
        Map<ImageRecord, List<String>> claimed = new LinkedHashMap<>();
        for (String reference : references) {
            synchronized (changes) {
                ImageRecord record =
                        names.find(catalog, reference)
                                .flatMap(catalog::record)
                                .orElseThrow(() ->
                                        new ImageException(
                                                ErrorKind.NOT_FOUND,
                                                "image "
                                                        + reference
                                                        + " is not on this node; see crema"
                                                        + " images"));
                useAlso(record.id(), user);
                claimed.computeIfAbsent(record, key -> new ArrayList<>())
                        .add(names.tagNamed(record, reference).orElse(""));
            }
        }
        return claimed;
    }

    /** Writes the record of a new image, or gives new names to the one that is there. */
    Image publish(ImageRecord record, Map<Digest, byte[]> contents) throws IOException {
        synchronized (changes) {
            for (Map.Entry<Digest, byte[]> content : contents.entrySet()) {
                // Another image that had the same blob may have been removed since.
                blobs.write(content.getKey(), content.getValue(), true);
            }
            Optional<ImageRecord> known = catalog.record(record.id());
            ImageRecord written = record;
            if (known.isPresent()) {
                ImageRecord old = known.get();
                Set<Digest> allBlobs = new LinkedHashSet<>(old.blobs());
                allBlobs.addAll(record.blobs());
                written =
                        old.withBlobs(List.copyOf(allBlobs))
                                .named(
                                        union(old.tags(), record.tags()),
                                        union(old.digests(), record.digests()),
                                        record.namedAt())
                                .from(old.provenance().with(record.provenance()));
            }
            put(written);
            return catalog.image(record.id()).orElseThrow();
        }
    }

    /** Gives names to an image that is there already; empty when it is not. */
    Optional<Image> rename(
            ImageId id, List<String> tags, List<String> digests, Provenance provenance) {
        synchronized (changes) {
            Optional<ImageRecord> known = catalog.record(id);
            if (known.isEmpty()) {
                return Optional.empty();
            }
            ImageRecord old = known.get();
            Provenance both = old.provenance().with(provenance);
            if (!old.tags().containsAll(tags)
                    || !old.digests().containsAll(digests)
                    || !both.equals(old.provenance())) {
                try {
                    put(
                            old.named(
                                            union(old.tags(), tags),
                                            union(old.digests(), digests),
                                            clock.instant())
                                    .from(both));
                } catch (IOException e) {
                    throw new ImageException(
                            ErrorKind.INTERNAL,
                            "image " + id + " cannot be given the name " + tags + ": " + e,
                            e);
                }
            }
            return catalog.image(id);
        }
    }

    private static List<String> union(List<String> old, List<String> added) {
        Set<String> all = new LinkedHashSet<>(old);
        all.addAll(added);
        return List.copyOf(all);
    }

    /** Only with the lock held. The new record is written first: no tag is ever nobody's. */
    private void put(ImageRecord record) throws IOException {
        records.write(record);
        Map<ImageId, ImageRecord> all = recordsById();
        all.put(record.id(), record);
        Set<String> moved = new HashSet<>(record.tags());
        for (ImageRecord other : catalog.records()) {
            if (!other.id().equals(record.id())
                    && other.tags().stream().anyMatch(moved::contains)) {
                List<String> left = new ArrayList<>(other.tags());
                left.removeAll(moved);
                ImageRecord untagged = other.named(left, other.digests(), other.namedAt());
                all.put(other.id(), untagged);
                records.write(untagged);
            }
        }
        show(all.values());
    }

    private Map<ImageId, ImageRecord> recordsById() {
        Map<ImageId, ImageRecord> all = new LinkedHashMap<>();
        catalog.records().forEach(record -> all.put(record.id(), record));
        return all;
    }

    private void show(Collection<ImageRecord> all) {
        try {
            records.writeIndex(all);
        } catch (IOException e) {
            LOG.warn("{} is not up to date: {}", paths.layoutIndex(), e.getMessage());
        }
        catalog = new Catalog(all, paths, pinned, bookkeeping.of(all));
    }

    void remove(String reference) {
        synchronized (changes) {
            Optional<ImageId> id = names.find(catalog, reference);
            if (id.isEmpty() || (removeUntags && untag(id.get(), reference))) {
                return;
            }
            refuseWhileUsed(id.get(), reference);
            ImageRecord record = catalog.record(id.get()).orElseThrow();
            try {
                records.delete(record.id());
                Map<ImageId, ImageRecord> all = recordsById();
                all.remove(record.id());
                show(all.values());
                collect(record.layers().stream().map(StoredLayer::key).toList());
                deleteBlobs(record.blobs());
            } catch (IOException e) {
                throw new ImageException(
                        ErrorKind.INTERNAL,
                        "image " + reference + " cannot be removed completely: " + e,
                        e);
            }
        }
    }

    /**
     * As CRI-O does: takes away the tag that was named while the image has others.
     *
     * @return whether the image stays
     */
    private boolean untag(ImageId id, String reference) {
        ImageRecord record = catalog.record(id).orElseThrow();
        Optional<String> tag = names.tagNamed(record, reference);
        if (tag.isEmpty() || record.tags().size() < 2) {
            return false;
        }
        List<String> tags = new ArrayList<>(record.tags());
        tags.remove(tag.get());
        try {
            put(record.named(tags, record.digests(), record.namedAt()));
        } catch (IOException e) {
            throw new ImageException(
                    ErrorKind.INTERNAL, "cannot take the name " + reference + " away: " + e, e);
        }
        return true;
    }

    private void refuseWhileUsed(ImageId id, String reference) {
        List<String> users =
                new TreeMap<>(imagesByUser)
                        .entrySet().stream()
                                .filter(use -> use.getValue().contains(id))
                                .map(Map.Entry::getKey)
                                .toList();
        if (!users.isEmpty()) {
            throw new ImageException(
                    ErrorKind.FAILED_PRECONDITION,
                    String.format(
                            Locale.ROOT,
                            "image %s is in use by container%s %s; remove %s first",
                            reference,
                            users.size() == 1 ? "" : "s",
                            String.join(", ", users),
                            users.size() == 1 ? "it" : "them"));
        }
    }

    void collect(Collection<String> keys) throws IOException {
        synchronized (changes) {
            layers.collect(keys, catalog::refersToLayer);
        }
    }

    /** Only with the lock held. */
    private void deleteBlobs(List<Digest> candidates) throws IOException {
        Set<Digest> needed = new HashSet<>();
        catalog.records().forEach(record -> needed.addAll(record.blobs()));
        for (Digest digest : candidates) {
            if (!needed.contains(digest)) {
                blobs.delete(digest);
            }
        }
    }

    void use(ImageId image, String user) {
        synchronized (changes) {
            requireRecord(image);
            Set<ImageId> used = imagesByUser.get(user);
            if (used == null || !used.contains(image)) {
                imagesByUser.put(user, Set.of(image));
            }
        }
    }

    void useAlso(ImageId image, String user) {
        synchronized (changes) {
            requireRecord(image);
            Set<ImageId> used = new HashSet<>(imagesByUser.getOrDefault(user, Set.of()));
            used.add(image);
            imagesByUser.put(user, Set.copyOf(used));
        }
    }

    /** Only with the lock held. */
    private void requireRecord(ImageId image) {
        if (catalog.record(image).isEmpty()) {
            throw new ImageException(
                    ErrorKind.NOT_FOUND,
                    "image " + image + " is not on this node (any more); pull it again");
        }
    }

    void release(String user) {
        synchronized (changes) {
            imagesByUser.remove(user);
        }
    }

    ImageRecord recordOf(Image image) {
        return catalog.record(image.id())
                .orElseThrow(() ->
                        new ImageException(
                                ErrorKind.NOT_FOUND,
                                what(image)
                                        + " is not on this node (any more); pull it"
                                        + " again"));
    }

    static String what(Image image) {
        return "image "
                + (image.repoTags().isEmpty() ? image.id().value() : image.repoTags().getFirst());
    }
}
