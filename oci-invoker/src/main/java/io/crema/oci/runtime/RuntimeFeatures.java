package io.crema.oci.runtime;

import java.util.Set;

/**
 * What an OCI runtime says of itself (runtime-spec, features.md). A runtime without the {@code
 * features} command is treated as able to do nothing optional.
 *
 * @param known whether the runtime answered the features command
 */
public record RuntimeFeatures(
        boolean known, String version, Set<String> mountOptions, boolean idMappedMounts) {
    public RuntimeFeatures {
        mountOptions = Set.copyOf(mountOptions);
    }

    public boolean recursiveReadOnlyMounts() {
        return mountOptions.contains("rro");
    }
}
