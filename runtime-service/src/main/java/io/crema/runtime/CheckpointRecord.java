package io.crema.runtime;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.ErrorKind;
import io.crema.cri.v1.ContainerMetadata;
import io.crema.cri.v1.ContainerStatus;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.PodException;
import io.crema.runtime.state.PodSandbox;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Writes what a checkpoint says of its container: config.dump, spec.dump, bind.mounts. */
final class CheckpointRecord {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;
    private static final String NEVER = "0001-01-01T00:00:00Z";

    /** Mounts that every container gets anew, so nobody has to supply them. */
    static final Set<String> OWN_MOUNTS =
            Set.of(
                    "/proc",
                    "/dev",
                    "/dev/pts",
                    "/dev/mqueue",
                    "/dev/shm",
                    "/sys",
                    "/sys/fs/cgroup",
                    "/etc/resolv.conf",
                    "/etc/hostname",
                    "/etc/hosts",
                    "/etc/passwd",
                    "/etc/group",
                    "/run/secrets",
                    "/run/.containerenv");

    private final NodeServices node;
    private final Inventory inventory;

    CheckpointRecord(NodeServices node, Inventory inventory) {
        this.node = node;
        this.inventory = inventory;
    }

    void write(Container container, Path directory) {
        PodSandbox sandbox = inventory.sandbox(container.sandbox().value());
        Path config = node.layout().bundle(container.id()).resolve("config.json");
        try {
            JsonNode parsed = JSON.readTree(Files.readAllBytes(config));
            if (!(parsed instanceof ObjectNode spec)) {
                throw new IOException("it is no JSON object");
            }
            annotate(spec, container, sandbox);
            write(directory.resolve(CheckpointFiles.SPEC), spec);
            write(directory.resolve(CheckpointFiles.CONFIG), config(container, sandbox));
            write(directory.resolve(CheckpointFiles.BIND_MOUNTS), bindMounts(spec));
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL,
                    "cannot write the record of " + container + " from " + config + ": " + e,
                    e);
        }
    }

    static void writeList(Path file, List<String> names) {
        ArrayNode list = NODES.arrayNode();
        names.forEach(list::add);
        try {
            write(file, list);
        } catch (IOException e) {
            throw new PodException(ErrorKind.INTERNAL, "cannot write " + file + ": " + e, e);
        }
    }

    private ObjectNode config(Container container, PodSandbox sandbox) {
        ContainerStatus effective = container.effective();
        ObjectNode config = NODES.objectNode();
        config.put("id", container.id().value());
        config.put("name", name(container, sandbox));
        config.put("rootfsImage", effective.getImage().getImage());
        config.put("rootfsImageRef", container.record().image().value());
        config.put("rootfsImageName", effective.getImage().getImage());
        config.put("runtime", node.handlers().named(container.record().runtimeHandler()).name());
        config.put("createdTime", time(container.record().createdAtNanos()));
        config.put("checkpointedTime", time(node.nowNanos()));
        config.put("restoredTime", NEVER);
        config.put("restored", Files.isDirectory(node.layout().restore(container.id())));
        return config;
    }

    private static String name(Container container, PodSandbox sandbox) {
        return String.join(
                "_",
                "k8s",
                container.record().name(),
                sandbox.record().name(),
                sandbox.record().namespace(),
                sandbox.config().getMetadata().getUid(),
                Integer.toString(container.record().attempt()));
    }

    private static String time(long nanos) {
        return Instant.ofEpochSecond(0, nanos).toString();
    }

    /** What CRI-O's restore and checkpointctl look for. */
    private static void annotate(ObjectNode spec, Container container, PodSandbox sandbox)
            throws IOException {
        ObjectNode annotations = spec.withObject("/annotations");
        ContainerMetadata metadata = container.config().getMetadata();
        annotations.put("io.container.manager", "cri-o");
        annotations.put(
                "io.kubernetes.cri-o.Metadata",
                JSON.writeValueAsString(
                        NODES.objectNode()
                                .put("name", metadata.getName())
                                .put("attempt", metadata.getAttempt())));
        annotations.put(
                "io.kubernetes.cri-o.Annotations",
                JSON.writeValueAsString(object(container.config().getAnnotationsMap())));
        annotations.put(
                "io.kubernetes.cri-o.Labels",
                JSON.writeValueAsString(object(container.config().getLabelsMap())));
        annotations.put("io.kubernetes.cri-o.Created", time(container.record().createdAtNanos()));
        annotations.put("io.kubernetes.cri-o.SandboxID", sandbox.id().value());
        List<String> addresses = sandbox.record().addresses();
        for (int i = 0; i < addresses.size(); i++) {
            annotations.put("io.kubernetes.cri-o.IP." + i, addresses.get(i));
        }
        annotations.put(CheckpointFiles.LOG, container.record().logPath());
    }

    private static ObjectNode object(Map<String, String> map) {
        ObjectNode object = NODES.objectNode();
        map.forEach(object::put);
        return object;
    }

    /** Whether a mount's source is a file or a directory, for who has to make it elsewhere. */
    private static ArrayNode bindMounts(JsonNode spec) throws IOException {
        ArrayNode mounts = NODES.arrayNode();
        for (JsonNode mount : spec.path("mounts")) {
            Path source = Path.of(mount.path("source").asText());
            if (!mount.path("type").asText().equals("bind") || !Files.exists(source)) {
                continue;
            }
            mounts.addObject()
                    .put("source", source.toString())
                    .put("destination", mount.path("destination").asText())
                    .put("file_type", Files.isDirectory(source) ? "directory" : "file")
                    .put("permissions", ((Integer) Files.getAttribute(source, "unix:mode")) & 0777);
        }
        return mounts;
    }

    private static void write(Path file, JsonNode content) throws IOException {
        Files.write(file, JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(content));
    }
}
