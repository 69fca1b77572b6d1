package io.crema.conf;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * Images and registries ({@code [crio.image]}, {@code [crema.image]}).
 *
 * @param globalAuthFile credentials for every pull
 * @param namespacedAuthDirectory holds {@code <namespace>-<sha256 of the image>.json}, used once
 * @param pauseImage the image of a pod's own process; always pinned
 * @param pinnedImages names never removed by garbage collection; {@code *} at either end matches
 * @param signaturePolicy absent for the system's policy.json
 * @param signaturePolicyDirectory holds {@code <namespace>.json}
 * @param imageVolumes what to do with VOLUME of an image
 * @param separatePullCgroup pull inside this cgroup; empty for the daemon's own
 * @param pullProgressTimeout a pull without progress for that long is cancelled; zero for never
 * @param registriesFile registries.conf, version 2
 * @param registriesDirectory its drop-ins
 * @param certificateDirectories hold {@code <host[:port]>/ca.crt} and so on; the first hit wins
 * @param signatureLocationsDirectory registries.d: where signatures of images lie
 * @param maxParallelLayers how many layers of all pulls are transferred at once
 * @param maxLayerBytes a layer that unpacks to more is refused
 * @param maxLayerEntries a layer with more files is refused
 * @param removeUntags whether RemoveImage by name removes only that name while others are left, as
 *     CRI-O does
 */
public record ImageSettings(
        Optional<Path> globalAuthFile,
        Path namespacedAuthDirectory,
        String pauseImage,
        Optional<Path> pauseImageAuthFile,
        String pauseCommand,
        List<String> pinnedImages,
        Optional<Path> signaturePolicy,
        Path signaturePolicyDirectory,
        ImageVolumes imageVolumes,
        String separatePullCgroup,
        boolean autoReloadRegistries,
        Duration pullProgressTimeout,
        boolean artifactMounts,
        ShortNameMode shortNameMode,
        Path decryptionKeysDirectory,
        List<Path> additionalArtifactStores,
        Path registriesFile,
        Path registriesDirectory,
        List<Path> certificateDirectories,
        Path signatureLocationsDirectory,
        int maxParallelLayers,
        long maxLayerBytes,
        long maxLayerEntries,
        boolean removeUntags) {
    /** What to do with VOLUME of an image. */
    public enum ImageVolumes {
        /** Make the directory in the container's root file system. */
        MKDIR("mkdir"),
        /** Bind a directory of the container's own over it. */
        BIND("bind"),
        IGNORE("ignore");

        private final String word;

        ImageVolumes(String word) {
            this.word = word;
        }

        @Override
        public String toString() {
            return word;
        }
    }

    /** What to do with a short name that several search registries could mean. */
    public enum ShortNameMode {
        /** Refuse it. */
        ENFORCING("enforcing"),
        /** Try all in turn. */
        DISABLED("disabled");

        private final String word;

        ShortNameMode(String word) {
            this.word = word;
        }

        @Override
        public String toString() {
            return word;
        }
    }

    public ImageSettings {
        globalAuthFile = Require.absolute("global_auth_file", globalAuthFile);
        namespacedAuthDirectory = Require.absolute("namespaced_auth_dir", namespacedAuthDirectory);
        pauseImageAuthFile = Require.absolute("pause_image_auth_file", pauseImageAuthFile);
        pinnedImages = List.copyOf(pinnedImages);
        signaturePolicy = Require.absolute("signature_policy", signaturePolicy);
        signaturePolicyDirectory =
                Require.absolute("signature_policy_dir", signaturePolicyDirectory);
        Require.atLeast("pull_progress_timeout", Duration.ZERO, pullProgressTimeout);
        decryptionKeysDirectory = Require.absolute("decryption_keys_path", decryptionKeysDirectory);
        additionalArtifactStores = List.copyOf(additionalArtifactStores);
        Require.absolute("additional_artifact_stores", additionalArtifactStores);
        registriesFile = Require.absolute("registries_conf", registriesFile);
        registriesDirectory = Require.absolute("registries_conf_dir", registriesDirectory);
        certificateDirectories = List.copyOf(certificateDirectories);
        Require.absolute("certs_dirs", certificateDirectories);
        signatureLocationsDirectory = Require.absolute("registries_d", signatureLocationsDirectory);
        Require.that(
                maxParallelLayers >= 1 && maxParallelLayers <= 64,
                "max_parallel_layers must be from 1 to 64, not " + maxParallelLayers);
        Require.atLeast("max_layer_size", 1, maxLayerBytes);
        Require.atLeast("max_layer_entries", 1, maxLayerEntries);
    }
}
