package io.crema.runtime.selinux;

import java.util.Optional;

/**
 * What a container's process and files are labelled with.
 *
 * @param process absent where the OCI runtime's own label decides
 * @param files of its mounts; empty without SELinux
 */
public record Labels(Optional<String> process, String files) {
    static final Labels NONE = new Labels(Optional.empty(), "");
}
