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
 * @param tuning what only few containers are given
 */
public record RuntimeFeatures(
        boolean known,
        String version,
        Set<String> mountOptions,
        boolean idMappedMounts,
        boolean userNamespaces,
        boolean netDevices,
        boolean checkpoints,
        Tuning tuning) {
    /**
     * What a runtime would pass over without a word if it does not know it.
     *
     * @param namespaces the kinds that it makes and joins
     * @param scheduling whether it sets scheduler and I/O priority, as version 1.1 of the
     *     specification demands
     * @param memoryPolicyModes such as MPOL_BIND; empty when it sets none
     * @param rdtSchemata whether it writes schemata of Intel RDT itself
     * @param rdtMonitoring whether it makes groups that monitor
     */
    public record Tuning(
            Set<String> namespaces,
            boolean scheduling,
            Set<String> memoryPolicyModes,
            Set<String> memoryPolicyFlags,
            boolean rdtSchemata,
            boolean rdtMonitoring) {
        public static final Tuning NONE =
                new Tuning(Set.of(), false, Set.of(), Set.of(), false, false);

        public Tuning {
            namespaces = Set.copyOf(namespaces);
            memoryPolicyModes = Set.copyOf(memoryPolicyModes);
            memoryPolicyFlags = Set.copyOf(memoryPolicyFlags);
        }
    }

    /** Without what is newer than the rest. */
    public RuntimeFeatures(
            boolean known, String version, Set<String> mountOptions, boolean idMappedMounts) {
        this(known, version, mountOptions, idMappedMounts, false, false, true, Tuning.NONE);
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
        Set<String> options = texts(root.path("mountOptions"));
        boolean idMapped =
                root.path("linux")
                        .path("mountExtensions")
                        .path("idmap")
                        .path("enabled")
                        .asBoolean(false);
        Tuning tuning = tuning(root);
        boolean netDevices = root.path("linux").path("netDevices").path("enabled").asBoolean(false);
        return Optional.of(
                new RuntimeFeatures(
                        true,
                        version,
                        options,
                        idMapped,
                        tuning.namespaces().contains("user"),
                        netDevices,
                        checkpoints(root.path("annotations")),
                        tuning));
    }

    private static Tuning tuning(JsonNode root) {
        JsonNode linux = root.path("linux");
        JsonNode rdt = linux.path("intelRdt");
        return new Tuning(
                texts(linux.path("namespaces")),
                isAtLeast(root.path("ociVersionMax").asText(), 1, 1),
                texts(linux.path("memoryPolicy").path("modes")),
                texts(linux.path("memoryPolicy").path("flags")),
                rdt.path("schemata").asBoolean(false),
                rdt.path("monitoring").asBoolean(false));
    }

    private static Set<String> texts(JsonNode list) {
        Set<String> texts = new HashSet<>();
        list.forEach(text -> texts.add(text.asText()));
        return texts;
    }

    /** Of a version such as 1.0.2-dev. */
    private static boolean isAtLeast(String version, int major, int minor) {
        String[] parts = version.split("\\.", 3);
        try {
            int first = Integer.parseInt(parts[0]);
            return first > major
                    || (first == major && parts.length > 1 && Integer.parseInt(parts[1]) >= minor);
        } catch (NumberFormatException e) {
            return false;
        }
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
