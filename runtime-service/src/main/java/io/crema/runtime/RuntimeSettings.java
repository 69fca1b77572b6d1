package io.crema.runtime;

import io.crema.base.ErrorKind;
import io.crema.base.PodSandboxId;
import io.crema.conf.CremaConfiguration;
import io.crema.conf.RuntimeConfiguration.CgroupManager;
import io.crema.conf.RuntimeHandlerConfiguration;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.oci.linux.LinuxNamespaces.NamespaceKind;
import io.crema.runtime.spec.PodAnnotations;
import io.crema.runtime.state.PodException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** What the configuration means for one pod. */
public record RuntimeSettings(CremaConfiguration configuration) {
    /** What Kubernetes gives every pod for /dev/shm. */
    private static final long SHARED_MEMORY_BYTES = 64L << 20;

    private static final List<Path> INIT_PLACES =
            List.of(
                    Path.of("/usr/bin/catatonit"),
                    Path.of("/usr/libexec/catatonit/catatonit"),
                    Path.of("/usr/libexec/podman/catatonit"));

    boolean isSystemd() {
        return configuration.runtime().cgroupManager() == CgroupManager.SYSTEMD;
    }

    /** The configuration of a runtime handler; the empty name is the default one. */
    RuntimeHandlerConfiguration handler(String name) {
        var runtime = configuration.runtime();
        RuntimeHandlerConfiguration found =
                runtime.runtimes().get(name.isEmpty() ? runtime.defaultRuntime() : name);
        if (found == null) {
            throw PodException.invalid("no runtime handler '" + name + "' is configured");
        }
        return found;
    }

    /** The static init that is PID 1 of pods sharing their PID namespace. */
    Path initBinary() {
        Optional<Path> configured = configuration.runtime().initPath();
        if (configured.isPresent()) {
            return configured.get();
        }
        for (Path place : INIT_PLACES) {
            if (Files.isExecutable(place)) {
                return place;
            }
        }
        throw new PodException(
                ErrorKind.FAILED_PRECONDITION,
                "the pod shares its PID namespace, which needs catatonit, and it is in none of "
                        + INIT_PLACES
                        + "; install the package catatonit or set init_path in [crema.runtime]");
    }

    long sharedMemoryBytes(PodSandboxConfig config, String handler) {
        return new PodAnnotations(config.getAnnotationsMap(), handler(handler))
                .sharedMemoryBytes()
                .orElse(SHARED_MEMORY_BYTES);
    }

    Path logDirectory(PodSandboxConfig config, PodSandboxId id) {
        return config.getLogDirectory().isEmpty()
                ? configuration.storage().logDirectory().resolve(id.value())
                : Path.of(config.getLogDirectory());
    }

    /**
     * The kernel parameters to set inside the pod's new namespaces: the configured ones, then the
     * pod's. Those of a namespace that the pod shares with the host are left out of the configured
     * ones and refused when the pod asks for them.
     */
    Map<String, String> sysctls(PodSandboxConfig config, Set<NamespaceKind> owned) {
        Map<String, String> sysctls = new LinkedHashMap<>();
        configuration
                .runtime()
                .defaultSysctls()
                .forEach((name, value) -> {
                    if (owned.contains(namespaceOf(name))) {
                        sysctls.put(name, value);
                    }
                });
        config.getLinux()
                .getSysctlsMap()
                .forEach((given, value) -> {
                    String name = dotted(given);
                    NamespaceKind kind = namespaceOf(name);
                    if (!owned.contains(kind)) {
                        throw PodException.invalid(
                                "linux.sysctls: "
                                        + name
                                        + " belongs to the "
                                        + kind.fileName()
                                        + " namespace, which this pod shares with the host; drop the"
                                        + " sysctl or the host namespace");
                    }
                    sysctls.put(name, value);
                });
        return sysctls;
    }

    /** As sysctl(8): when the first separator is a slash, slashes separate and dots are literal. */
    static String dotted(String name) {
        int slash = name.indexOf('/');
        int dot = name.indexOf('.');
        if (slash < 0 || (dot >= 0 && dot < slash)) {
            return name;
        }
        StringBuilder swapped = new StringBuilder(name.length());
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            swapped.append(c == '/' ? '.' : c == '.' ? '/' : c);
        }
        return swapped.toString();
    }

    private static NamespaceKind namespaceOf(String name) {
        if (name.startsWith("net.")) {
            return NamespaceKind.NETWORK;
        }
        if (name.startsWith("fs.mqueue.")
                || name.startsWith("kernel.shm")
                || name.startsWith("kernel.msg")
                || name.equals("kernel.sem")) {
            return NamespaceKind.IPC;
        }
        if (name.equals("kernel.domainname")) {
            return NamespaceKind.UTS;
        }
        throw PodException.invalid(
                "linux.sysctls: "
                        + name
                        + " is not namespaced and would change the whole node; allowed are net.*,"
                        + " fs.mqueue.*, kernel.shm*, kernel.msg*, kernel.sem and kernel.domainname");
    }
}
