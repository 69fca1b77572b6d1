package io.crema.runtime.spec;

import io.crema.cri.v1.PodSandboxConfig;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The kernel parameters of a pod that live in the IPC namespace, for a container that has one of
 * its own: the pod's own namespaces got them when they were made.
 */
public final class OwnIpcSysctls {
    private static final Set<String> NAMES =
            Set.of(
                    "kernel.msgmax",
                    "kernel.msgmnb",
                    "kernel.msgmni",
                    "kernel.sem",
                    "kernel.shmall",
                    "kernel.shmmax",
                    "kernel.shmmni",
                    "kernel.shm_rmid_forced");

    private OwnIpcSysctls() {}

    /** Whether a kernel parameter is one of an IPC namespace. */
    public static boolean isOfIpc(String name) {
        return NAMES.contains(name) || name.startsWith("fs.mqueue.");
    }

    /**
     * @param defaults from the configuration; the request wins
     */
    static SortedMap<String, String> of(PodSandboxConfig config, Map<String, String> defaults) {
        SortedMap<String, String> result = new TreeMap<>();
        add(defaults, result);
        add(config.getLinux().getSysctlsMap(), result);
        return result;
    }

    // None of these has a dot inside an element, so slashes are just the other notation.
    private static void add(Map<String, String> sysctls, SortedMap<String, String> result) {
        sysctls.forEach((given, value) -> {
            String name = given.replace('/', '.');
            if (isOfIpc(name)) {
                result.put(name, value);
            }
        });
    }
}
