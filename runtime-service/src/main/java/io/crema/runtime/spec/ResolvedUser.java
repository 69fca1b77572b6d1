package io.crema.runtime.spec;

import io.crema.cri.v1.LinuxContainerUser;
import io.crema.oci.spec.ContainerProcess;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Who the first process of a container is.
 *
 * @param additionalGids the primary group first, none twice
 * @param home from the image's passwd file, / when it does not say
 * @param isKnown whether the image's passwd file has this user
 * @param isGroupKnown whether the image's group file has the primary group
 */
record ResolvedUser(
        long uid,
        long gid,
        List<Long> additionalGids,
        String home,
        boolean isKnown,
        boolean isGroupKnown) {
    ResolvedUser {
        additionalGids = List.copyOf(additionalGids);
    }

    /**
     * @param umask absent for the OCI runtime's
     */
    ContainerProcess.User forProcess(@Nullable Integer umask) {
        return new ContainerProcess.User(uid, gid, umask, additionalGids);
    }

    LinuxContainerUser forStatus() {
        return LinuxContainerUser.newBuilder()
                .setUid(uid)
                .setGid(gid)
                .addAllSupplementalGroups(additionalGids)
                .build();
    }
}
