package io.crema.oci.runtime;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/**
 * What an OCI runtime says of itself (runtime-spec, features.md). A runtime without the {@code
 * features} command is treated as able to do nothing optional.
 *
 * @param known whether the runtime answered the features command
 * @param idMappedMounts whether it idmaps mounts itself
 * @param userNamespaces whether it makes and joins user namespaces
 * @param netDevices whether it moves network interfaces into containers
 * @param checkpoints false when it says that it was built without checkpoints
 * @param version the first line of {@code --version}, or empty
 */
public record RuntimeFeatures(
        boolean known,
        String version,
        Set<String> mountOptions,
        boolean idMappedMounts,
        boolean userNamespaces,
        boolean netDevices,
        boolean checkpoints) {
    /** Without what is newer than the rest. */
    public RuntimeFeatures(
            boolean known, String version, Set<String> mountOptions, boolean idMappedMounts) {
        this(known, version, mountOptions, idMappedMounts, false, false, true);
    }

    public RuntimeFeatures {
        mountOptions = Set.copyOf(mountOptions);
    }

    public boolean recursiveReadOnlyMounts() {
        return mountOptions.contains("rro");
    }

    static RuntimeFeatures unknown(String version) {
        return new RuntimeFeatures(false, version, Set.of(), false);
    }

    /** Empty when the text is not what features.md describes. */
    static Optional<RuntimeFeatures> parse(String json, String version) {
        JsonNode root;
        try {
            root = RuntimeJson.READER.readTree(json);
        } catch (JsonProcessingException e) {
            return Optional.empty();
        }
        if (!root.path("ociVersionMin").isTextual()) {
            return Optional.empty();
        }
        Set<String> options = new HashSet<>();
        root.path("mountOptions").forEach(option -> options.add(option.asText()));
        boolean idMapped =
                root.path("linux")
                        .path("mountExtensions")
                        .path("idmap")
                        .path("enabled")
                        .asBoolean(false);
        boolean userNamespaces = false;
        for (JsonNode kind : root.path("linux").path("namespaces")) {
            userNamespaces |= kind.asText().equals("user");
        }
        boolean netDevices = root.path("linux").path("netDevices").path("enabled").asBoolean(false);
        return Optional.of(
                new RuntimeFeatures(
                        true,
                        version,
                        options,
                        idMapped,
                        userNamespaces,
                        netDevices,
                        checkpoints(root.path("annotations"))));
    }

    /** As runc and crun tell it. */
    private static boolean checkpoints(JsonNode annotations) {
        return !annotations
                        .path("org.opencontainers.runc.checkpoint.enabled")
                        .asText()
                        .equals("false")
                && !annotations.path("run.oci.crun.checkpoint.enabled").asText().equals("false");
    }
}
