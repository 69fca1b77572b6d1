package io.crema.runtime.spec;

import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.NamespaceOption;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.runtime.state.PodException;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * The kernel parameters of a pod. Only those that belong to a namespace are allowed; those of a
 * namespace that the pod shares with the node are left out, because they would change the node.
 */
public final class Sysctls {
    private static final Set<String> IPC =
            Set.of(
                    "kernel.msgmax",
                    "kernel.msgmnb",
                    "kernel.msgmni",
                    "kernel.sem",
                    "kernel.shmall",
                    "kernel.shmmax",
                    "kernel.shmmni",
                    "kernel.shm_rmid_forced");
    private static final Set<String> UTS = Set.of("kernel.domainname", "kernel.hostname");

    private enum Scope {
        IPC,
        UTS,
        NETWORK
    }

    private Sysctls() {}

    /**
     * What to set in the pinned namespaces of a pod, by dotted name.
     *
     * @param defaults from the configuration; the request wins
     */
    public static SortedMap<String, String> ofPod(
            PodSandboxConfig config, Map<String, String> defaults) {
        NamespaceOption options = config.getLinux().getSecurityContext().getNamespaceOptions();
        SortedMap<String, String> result = new TreeMap<>();
        for (Map.Entry<String, String> entry : merged(config, defaults).entrySet()) {
            boolean isOwn =
                    switch (scope(entry.getKey())) {
                        case IPC -> options.getIpc() != NamespaceMode.NODE;
                        case UTS, NETWORK -> options.getNetwork() != NamespaceMode.NODE;
                    };
            if (isOwn) {
                result.put(entry.getKey(), entry.getValue());
            }
        }
        return result;
    }

    /** What to set in the IPC namespace that a container has of its own. */
    static SortedMap<String, String> ofOwnIpc(
            PodSandboxConfig config, Map<String, String> defaults) {
        SortedMap<String, String> result = new TreeMap<>();
        for (Map.Entry<String, String> entry : merged(config, defaults).entrySet()) {
            if (scope(entry.getKey()) == Scope.IPC) {
                result.put(entry.getKey(), entry.getValue());
            }
        }
        return result;
    }

    private static Map<String, String> merged(
            PodSandboxConfig config, Map<String, String> defaults) {
        Map<String, String> merged = new TreeMap<>();
        defaults.forEach((name, value) -> merged.put(dotted(name), value));
        config.getLinux().getSysctlsMap().forEach((name, value) -> merged.put(dotted(name), value));
        return merged;
    }

    /**
     * The name with dots as separators. sysctl(8) takes slashes too; then dots are part of a name,
     * as in the VLAN interface net/ipv4/conf/eth0.1.
     */
    static String dotted(String name) {
        int slash = name.indexOf('/');
        int dot = name.indexOf('.');
        if (slash < 0 || (dot >= 0 && dot < slash)) {
            return name;
        }
        StringBuilder swapped = new StringBuilder(name.length());
        for (int i = 0; i < name.length(); i++) {
            char character = name.charAt(i);
            swapped.append(character == '/' ? '.' : character == '.' ? '/' : character);
        }
        return swapped.toString();
    }

    private static Scope scope(String name) {
        return find(name)
                .orElseThrow(() ->
                        PodException.invalid(
                                "linux.sysctls: "
                                        + name
                                        + " belongs to no namespace and would change the"
                                        + " whole node"));
    }

    private static Optional<Scope> find(String name) {
        if (name.contains("..") || name.indexOf('\0') >= 0) {
            return Optional.empty(); // ".." is a step out of /proc/sys/net
        }
        if (IPC.contains(name) || name.startsWith("fs.mqueue.")) {
            return Optional.of(Scope.IPC);
        }
        if (UTS.contains(name)) {
            return Optional.of(Scope.UTS);
        }
        return name.startsWith("net.") ? Optional.of(Scope.NETWORK) : Optional.empty();
    }
}
