package io.crema.conf;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * One OCI runtime and its monitor ({@code [crio.runtime.runtimes.<name>]}).
 *
 * @param program what to search in PATH when there is no path
 * @param path of the runtime
 * @param root the runtime's own state directory ({@code --root})
 * @param configurationPath for runtimes of type vm
 * @param allowedAnnotations pod annotations that containers of this handler may use
 * @param defaultAnnotations added to containers that lack them
 * @param monitorPath absent to search conmon in PATH
 * @param monitorCgroup a slice, or {@code pod} for the pod's own cgroup
 * @param monitorEnvironment NAME=value entries
 * @param monitorExecCgroup {@code container} to move exec monitors into the container's cgroup
 * @param minimumMemoryBytes below this a memory limit is refused, because the runtime itself needs
 *     that much to start a container
 * @param noSyncLog whether the log is left unforced when a container ends
 * @param seccompProfile what RuntimeDefault means for this handler; absent for the common one
 * @param createTimeout after this a stuck creation is killed
 */
public record RuntimeHandlerConfiguration(
        String name,
        String program,
        Optional<Path> path,
        RuntimeType type,
        Path root,
        Optional<Path> configurationPath,
        boolean privilegedWithoutHostDevices,
        List<String> allowedAnnotations,
        Map<String, String> defaultAnnotations,
        Optional<Path> monitorPath,
        String monitorCgroup,
        List<String> monitorEnvironment,
        String monitorExecCgroup,
        long minimumMemoryBytes,
        boolean noSyncLog,
        Optional<Path> seccompProfile,
        Duration createTimeout) {
    /** How the daemon speaks to the runtime. */
    public enum RuntimeType {
        /** The command line of the OCI runtime specification, below conmon. */
        OCI("oci"),
        /** A containerd shim of version 2. */
        VM("vm"),
        /** One monitor per pod (conmon-rs). */
        POD("pod");

        private final String word;

        RuntimeType(String word) {
            this.word = word;
        }

        @Override
        public String toString() {
            return word;
        }
    }

    /** A creation that takes shorter is not stuck. */
    public static final Duration MIN_CREATE_TIMEOUT = Duration.ofSeconds(30);

    public RuntimeHandlerConfiguration {
        Require.notEmpty("runtime name", name);
        path = Require.absolute("runtime_path", path);
        root = Require.absolute("runtime_root", root);
        configurationPath = Require.absolute("runtime_config_path", configurationPath);
        allowedAnnotations = List.copyOf(allowedAnnotations);
        defaultAnnotations = Require.copy(defaultAnnotations);
        monitorPath = Require.absolute("monitor_path", monitorPath);
        Require.that(
                isMonitorCgroup(monitorCgroup),
                "monitor_cgroup must be 'pod' or the name of a slice such as system.slice, not '"
                        + monitorCgroup
                        + "'");
        monitorEnvironment = List.copyOf(monitorEnvironment);
        Require.that(
                monitorExecCgroup.isEmpty() || monitorExecCgroup.equals("container"),
                "monitor_exec_cgroup must be empty or 'container', not '"
                        + monitorExecCgroup
                        + "'");
        Require.atLeast("container_min_memory", 0, minimumMemoryBytes);
        seccompProfile = Require.absolute("seccomp_profile", seccompProfile);
        Require.atLeast("container_create_timeout", MIN_CREATE_TIMEOUT, createTimeout);
    }

    static boolean isMonitorCgroup(String text) {
        return text.isEmpty() || text.equals("pod") || text.endsWith(".slice");
    }
}
