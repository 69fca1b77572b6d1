package io.crema.runtime;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.crema.base.ErrorKind;
import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.LinuxContainerSecurityContext;
import io.crema.cri.v1.Mount;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * An unpacked checkpoint archive. Its content may come from anywhere; only what is read here is
 * looked at by us, and CRIU, which makes processes out of the rest, trusts it.
 */
record Checkpoint(String name, Path directory, JsonNode config, JsonNode spec) {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final long MOST_BYTES = 16 << 20;

    /** As much is read again whenever somebody asks for all about the container. */
    static final long MOST_CONFIG_BYTES = 1 << 20;

    /**
     * @param name of the archive or image, for messages
     */
    static Checkpoint read(String name, Path directory) {
        requirePlain(name, directory);
        if (!Files.isRegularFile(
                directory.resolve(CheckpointFiles.IMAGES).resolve(CheckpointFiles.INVENTORY))) {
            throw PodException.invalid(
                    "config.image.image: "
                            + name
                            + " is not a whole checkpoint: it has no "
                            + CheckpointFiles.IMAGES
                            + "/"
                            + CheckpointFiles.INVENTORY);
        }
        return new Checkpoint(
                name,
                directory,
                json(name, directory, CheckpointFiles.CONFIG, MOST_CONFIG_BYTES),
                json(name, directory, CheckpointFiles.SPEC, MOST_BYTES));
    }

    /**
     * No checkpoint has anything but files and directories. A link would make us read, as root and
     * for whoever sent the archive, what it leads to on this node.
     */
    private static void requirePlain(String name, Path directory) {
        Path images = directory.resolve(CheckpointFiles.IMAGES);
        try {
            Files.walkFileTree(
                    directory,
                    new SimpleFileVisitor<>() {
                        @Override
                        public FileVisitResult preVisitDirectory(
                                Path entry, BasicFileAttributes attributes) {
                            return entry.startsWith(images) && !entry.equals(images)
                                    ? visitFile(entry, attributes)
                                    : FileVisitResult.CONTINUE;
                        }

                        @Override
                        public FileVisitResult visitFile(
                                Path entry, BasicFileAttributes attributes) {
                            if (!attributes.isRegularFile()) {
                                throw PodException.invalid(
                                        "config.image.image: "
                                                + name
                                                + " is not a checkpoint: its entry "
                                                + directory.relativize(entry)
                                                + " must be a regular file");
                            }
                            return FileVisitResult.CONTINUE;
                        }
                    });
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL, "cannot look through " + directory + ": " + e, e);
        }
    }

    private static JsonNode json(String name, Path directory, String file, long most) {
        Path path = directory.resolve(file);
        try {
            if (!Files.isRegularFile(path) || Files.size(path) > most) {
                throw PodException.invalid(
                        "config.image.image: "
                                + name
                                + " is not a checkpoint of a container: it has no usable "
                                + file);
            }
            return JSON.readTree(Files.readAllBytes(path));
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INVALID_ARGUMENT,
                    "config.image.image: " + file + " in " + name + " cannot be read: " + e,
                    e);
        }
    }

    /** The id of the image that the container ran, or else its name. */
    String image() {
        String reference = config.path("rootfsImageRef").asText();
        return reference.isEmpty() ? config.path("rootfsImageName").asText() : reference;
    }

    /** The image's name for somebody who has to pull it. */
    String readableImage() {
        String name = config.path("rootfsImageName").asText();
        return name.isEmpty() ? image() : name;
    }

    /** The command of the container's first process, as it was started. */
    List<String> command() {
        return texts(spec.path("process").path("args"));
    }

    /** What was removed from the image's files. */
    List<String> removed() {
        Path file = directory.resolve(CheckpointFiles.REMOVED);
        return Files.exists(file)
                ? texts(json(name, directory, CheckpointFiles.REMOVED, MOST_BYTES))
                : List.of();
    }

    private static List<String> texts(JsonNode list) {
        List<String> texts = new ArrayList<>();
        list.forEach(one -> texts.add(one.asText()));
        return texts;
    }

    /**
     * CRIU finds the mounts of the processes again by their places, so the request must have those
     * that the container had, and no others. What protects paths is mounts, too.
     *
     * @throws PodException INVALID_ARGUMENT naming the field
     */
    void check(ContainerConfig request) {
        Set<String> had = new HashSet<>();
        for (JsonNode mount : spec.path("mounts")) {
            had.add(mount.path("destination").asText());
        }
        Set<String> given = new HashSet<>();
        for (int i = 0; i < request.getMountsCount(); i++) {
            Mount mount = request.getMounts(i);
            given.add(mount.getContainerPath());
            if (!had.contains(mount.getContainerPath())) {
                throw PodException.invalid(
                        "mounts["
                                + i
                                + "].container_path: "
                                + mount.getContainerPath()
                                + " was no mount of the container in "
                                + name
                                + "; a restored container has the mounts that it had");
            }
        }
        had.removeAll(given);
        had.removeAll(CheckpointRecord.OWN_MOUNTS);
        if (!had.isEmpty()) {
            throw PodException.invalid(
                    "mounts: the container in "
                            + name
                            + " had further mounts at "
                            + String.join(", ", had.stream().sorted().toList())
                            + "; give them sources in the request");
        }
        LinuxContainerSecurityContext security = request.getLinux().getSecurityContext();
        requireSame("masked_paths", "maskedPaths", security.getMaskedPathsList());
        requireSame("readonly_paths", "readonlyPaths", security.getReadonlyPathsList());
    }

    private void requireSame(String field, String key, List<String> given) {
        Set<String> had = new HashSet<>(texts(spec.path("linux").path(key)));
        if (!had.equals(new HashSet<>(given))) {
            throw PodException.invalid(
                    "linux.security_context."
                            + field
                            + ": the container in "
                            + name
                            + " had "
                            + had.stream().sorted().toList()
                            + ", the request has "
                            + given
                            + "; CRIU restores such mounts only as they were");
        }
    }
}
