package io.crema.runtime.spec;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.ErrorKind;
import io.crema.oci.runtime.RuntimeJson;
import io.crema.oci.spec.SpecJson;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/** The config.json of a container that exists, kept true when its limits change. */
public final class StoredSpec {
    private StoredSpec() {}

    /** A limit of memory that an update does not tell stays. */
    private static void put(ObjectNode resources, String name, JsonNode changed) {
        if (resources.get(name) instanceof ObjectNode present
                && changed instanceof ObjectNode object) {
            present.setAll(object);
        } else {
            resources.set(name, changed);
        }
    }

    /** Replaces the file as a whole; what the update leaves alone stays as it is. */
    public static void update(Path bundle, ResourceUpdate update) {
        Path file = bundle.resolve(BuiltSpec.CONFIG_FILE);
        Path changed = bundle.resolve(BuiltSpec.CONFIG_FILE + ".changed");
        try {
            JsonNode spec = RuntimeJson.READER.readTree(Files.readAllBytes(file));
            ObjectNode resources = spec.withObject("/linux/resources");
            JsonNode limits = RuntimeJson.READER.readTree(SpecJson.write(update.resources()));
            limits.properties().forEach(entry -> put(resources, entry.getKey(), entry.getValue()));
            JsonNode pages = RuntimeJson.READER.readTree(SpecJson.write(update.hugePages()));
            if (pages.has("hugepageLimits")) {
                resources.set("hugepageLimits", pages.get("hugepageLimits"));
            }
            update.oomScoreAdjustment()
                    .ifPresent(value ->
                            spec.withObject("/process").put("oomScoreAdj", Integer.valueOf(value)));
            Files.deleteIfExists(changed);
            try (var channel =
                    Files.newByteChannel(
                            changed,
                            Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                            PosixFilePermissions.asFileAttribute(
                                    PosixFilePermissions.fromString("rw-------")))) {
                channel.write(ByteBuffer.wrap(RuntimeJson.READER.writeValueAsBytes(spec)));
            }
            Files.move(
                    changed,
                    file,
                    StandardCopyOption.ATOMIC_MOVE,
                    StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL,
                    "the new limits are in effect, but cannot be written to " + file + ": " + e,
                    e);
        }
    }
}
