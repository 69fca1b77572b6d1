package io.crema.cni;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.DurableFile;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What was given to which pod, in the format and place of libcni's cache ({@code
 * results/<network>-<container id>-<interface>}, kind {@code cniCacheV1}), so that other tools can
 * read it and an administrator can tear down by hand.
 *
 * <p>An entry is written durably before the first plugin of an ADD runs, then without a result:
 * whoever finds it after a crash knows the configuration to DEL with. It gets the result when ADD
 * is done and goes away when DEL is done. An extra member, which libcni passes over, says whose it
 * is.
 */
final class AttachmentCache {
    private static final Logger LOG = LoggerFactory.getLogger(AttachmentCache.class);
    private static final String KIND = "cniCacheV1";
    private static final String OWNER = "io.crema/owner";

    /** Younger ones may be in the making by another daemon that shares the directory. */
    private static final Duration LEFTOVER_AGE = Duration.ofHours(1);

    private static final long MAX_FILE_BYTES = 4 << 20;

    /**
     * One attachment on disk.
     *
     * @param result of the last plugin; empty while ADD is not done
     */
    record Entry(
            NetworkConfiguration network,
            RuntimeArguments args,
            Optional<ObjectNode> result,
            String owner) {}

    private final Path directory;
    private final String owner;

    AttachmentCache(Path cacheDirectory, String owner) {
        this.directory = cacheDirectory.resolve("results");
        this.owner = owner;
    }

    void write(NetworkConfiguration network, RuntimeArguments args, Optional<ObjectNode> result)
            throws IOException {
        ObjectNode json =
                Json.object()
                        .put("kind", KIND)
                        .put("containerId", args.containerId())
                        .put("config", Json.write(network.json()))
                        .put("ifName", args.ifName())
                        .put("networkName", network.name());
        if (!args.netns().isEmpty()) {
            json.put("netns", args.netns());
        }
        ArrayNode cniArgs = json.putArray("cniArgs");
        args.cniArgs().forEach((name, value) -> cniArgs.addArray().add(name).add(value));
        if (!args.capabilityArgs().isEmpty()) {
            json.set("capabilityArgs", args.capabilityArgs());
        }
        json.put(OWNER, owner);
        result.ifPresent(value -> json.set("result", value));
        Files.createDirectories(directory);
        DurableFile.write(file(network.name(), args.containerId()), Json.write(json));
    }

    boolean exists(String networkName, String containerId) {
        return Files.exists(file(networkName, containerId));
    }

    /** Passes over an entry that is gone. Not forced: DEL of a resurrected entry does no harm. */
    void delete(String networkName, String containerId) throws IOException {
        Files.deleteIfExists(file(networkName, containerId));
    }

    /**
     * The attachments of a container, usually one. The likely network is tried first, without
     * reading the directory.
     */
    List<Entry> find(Optional<String> likelyNetwork, String containerId) {
        if (likelyNetwork.isPresent()) {
            Optional<Entry> entry = read(file(likelyNetwork.get(), containerId));
            if (entry.isPresent()) {
                return List.of(entry.get());
            }
        }
        return scan("*-" + containerId + "-" + RuntimeArguments.IF_NAME);
    }

    /** All attachments of this daemon. */
    List<Entry> own() {
        List<Entry> entries = all();
        entries.removeIf(entry -> !entry.owner().equals(owner));
        return entries;
    }

    /** All attachments, those of other runtimes that share the directory included. */
    List<Entry> all() {
        return scan("*-" + RuntimeArguments.IF_NAME);
    }

    /** Removes half-written files of a daemon that was killed in the middle. */
    void deleteLeftovers() {
        String glob = "*-" + RuntimeArguments.IF_NAME + DurableFile.TEMPORARY_SUFFIX;
        FileTime recently = FileTime.from(Instant.now().minus(LEFTOVER_AGE));
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, glob)) {
            for (Path file : files) {
                if (Files.getLastModifiedTime(file).compareTo(recently) < 0) {
                    Files.deleteIfExists(file);
                }
            }
        } catch (NoSuchFileException e) {
            // Nothing was ever attached, or somebody else has cleaned up.
        } catch (DirectoryIteratorException | IOException e) {
            LOG.warn("cannot clean the CNI cache {}: {}", directory, e.toString());
        }
    }

    private List<Entry> scan(String glob) {
        List<Entry> entries = new ArrayList<>();
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, glob)) {
            for (Path file : files) {
                read(file).ifPresent(entries::add);
            }
        } catch (NoSuchFileException e) {
            // Nothing was ever attached.
        } catch (DirectoryIteratorException | IOException e) {
            LOG.warn("cannot list the CNI cache {}: {}", directory, e.toString());
        }
        return entries;
    }

    /** An unreadable entry is as good as none: DEL then takes the current configuration. */
    private Optional<Entry> read(Path file) {
        try {
            if (Files.size(file) > MAX_FILE_BYTES) {
                throw new IOException("more than " + MAX_FILE_BYTES + " bytes");
            }
            return Optional.of(parse(file, Json.readObject(Files.readAllBytes(file))));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (IOException e) {
            LOG.warn("passing over the CNI cache entry {}: {}", file, e.getMessage());
            return Optional.empty();
        }
    }

    private static Entry parse(Path file, ObjectNode json) throws IOException {
        if (!json.path("kind").asText().equals(KIND)) {
            throw new IOException("its kind is not " + KIND);
        }
        byte[] config = json.path("config").binaryValue();
        if (config == null) {
            throw new IOException("it has no 'config'");
        }
        NetworkConfiguration network =
                NetworkConfigurationReader.readCached(config, file.toString());
        Map<String, String> cniArgs = new LinkedHashMap<>();
        for (JsonNode pair : json.path("cniArgs")) {
            cniArgs.put(pair.path(0).asText(), pair.path(1).asText());
        }
        String containerId = json.path("containerId").asText();
        RuntimeArguments args =
                new RuntimeArguments(
                        containerId,
                        json.path("ifName").asText(),
                        json.path("netns").asText(),
                        cniArgs,
                        json.path("capabilityArgs") instanceof ObjectNode capabilityArgs
                                ? capabilityArgs
                                : Json.object(),
                        RuntimeArguments.subject(
                                cniArgs.getOrDefault(RuntimeArguments.POD_NAMESPACE, "?"),
                                cniArgs.getOrDefault(RuntimeArguments.POD_NAME, "?"),
                                containerId));
        Optional<ObjectNode> result =
                json.path("result") instanceof ObjectNode value
                        ? Optional.of(value)
                        : Optional.empty();
        return new Entry(network, args, result, json.path(OWNER).asText());
    }

    private Path file(String networkName, String containerId) {
        return directory.resolve(networkName + "-" + containerId + "-" + RuntimeArguments.IF_NAME);
    }
}
