package io.crema.image.store;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.DurableFile;
import io.crema.base.ImageId;
import io.crema.image.registry.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The images' records on disk, and the index of the OCI layout that is made from them. */
final class Records {
    private static final Logger LOG = LoggerFactory.getLogger(Records.class);
    private static final String LAYOUT = "{\"imageLayoutVersion\":\"1.0.0\"}\n";
    private static final String NAME_ANNOTATION = "org.opencontainers.image.ref.name";

    private final StorePaths paths;

    Records(StorePaths paths) {
        this.paths = paths;
    }

    /**
     * All readable records, oldest name first, each name in its latest record only. A record that
     * cannot be read is reported and left for a human; it is never listed.
     */
    List<ImageRecord> readAll() throws IOException {
        List<ImageRecord> records = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(paths.images())) {
            for (Path file : files) {
                String name = file.getFileName().toString();
                if (name.endsWith(DurableFile.TEMPORARY_SUFFIX)) {
                    Files.deleteIfExists(file);
                } else if (name.endsWith(StorePaths.RECORD_SUFFIX)) {
                    try {
                        ImageRecord record =
                                ImageRecord.ofJson(Json.parse(Files.readAllBytes(file)));
                        if (!name.equals(record.id() + StorePaths.RECORD_SUFFIX)) {
                            throw new IllegalArgumentException("it describes " + record.id());
                        }
                        records.add(record);
                    } catch (IOException | RuntimeException e) {
                        LOG.warn(
                                "image record {} is not usable and the image is not listed; pull it"
                                        + " again or delete the file: {}",
                                file,
                                e.getMessage());
                    }
                }
            }
        }
        records.sort(Comparator.comparing(ImageRecord::namedAt));
        return eachNameOnce(records);
    }

    /** After a crash between two writes a moved tag can be in the old record, too. */
    private static List<ImageRecord> eachNameOnce(List<ImageRecord> oldestFirst) {
        Set<String> taken = new HashSet<>();
        List<ImageRecord> records = new ArrayList<>(oldestFirst.size());
        for (ImageRecord record : oldestFirst.reversed()) {
            List<String> tags = new ArrayList<>(record.tags());
            tags.removeIf(tag -> !taken.add(tag));
            records.addFirst(
                    tags.size() == record.tags().size()
                            ? record
                            : record.named(tags, record.digests(), record.namedAt()));
        }
        return records;
    }

    void write(ImageRecord record) throws IOException {
        DurableFile.write(paths.image(record.id()), record.toBytes());
    }

    void delete(ImageId id) throws IOException {
        DurableFile.delete(paths.image(id));
    }

    /**
     * Lets other tools read the store as an OCI layout. Nothing of ours reads the index, so it is
     * not flushed; a start writes it anew.
     */
    void writeIndex(Collection<ImageRecord> records) throws IOException {
        ObjectNode index = JsonNodeFactory.instance.objectNode();
        index.put("schemaVersion", 2);
        index.put("mediaType", "application/vnd.oci.image.index.v1+json");
        ArrayNode manifests = index.putArray("manifests");
        for (ImageRecord record : records) {
            List<String> names = record.tags().isEmpty() ? record.digests() : record.tags();
            for (String name : names) {
                manifests
                        .addObject()
                        .put("mediaType", record.manifestMediaType())
                        .put("digest", record.manifestDigest().toString())
                        .put("size", record.manifestBytes())
                        .putObject("annotations")
                        .put(NAME_ANNOTATION, name);
            }
        }
        byte[] content = index.toPrettyString().getBytes(StandardCharsets.UTF_8);
        if (!Files.exists(paths.layoutMarker())) {
            Files.writeString(paths.layoutMarker(), LAYOUT);
        }
        Path staging = paths.ingest().resolve("index-" + Thread.currentThread().threadId());
        Files.write(staging, content);
        Files.move(
                staging,
                paths.layoutIndex(),
                StandardCopyOption.ATOMIC_MOVE,
                StandardCopyOption.REPLACE_EXISTING);
    }
}
