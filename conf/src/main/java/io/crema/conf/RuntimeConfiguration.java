package io.crema.conf;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * How pods and containers run ({@code [crio.runtime]}, {@code [crema.runtime]}).
 *
 * @param defaultRuntime the handler for requests that name none; always a key of {@code runtimes}
 * @param runtimes the handlers by name
 * @param defaultEnvironment NAME=value entries for every container; the image and the request win
 * @param defaultSysctls namespaced kernel parameters by name
 * @param pidsLimit of each container; absent for none
 * @param stopTimeout for a stop whose request names no time
 * @param namespacesDirectory where namespaces of pods are pinned
 * @param exitsDirectory where monitors leave exit codes
 * @param attachSocketDirectory where monitors put attach sockets
 * @param absentMountSourcesToReject mount sources below these are never made when missing
 * @param timezone for containers: a name such as Europe/Rome, Local for the host's, or empty
 * @param bindMountPrefix put before every host path of a mount
 * @param readOnlyRootFileSystems whether all root file systems are read-only
 * @param oomScoreAdjustment what to do with values that this daemon may not set
 * @param initPath the PID 1 of pods that share their PID namespace; absent to search catatonit
 */
public record RuntimeConfiguration(
        String defaultRuntime,
        Map<String, RuntimeHandlerConfiguration> runtimes,
        Map<String, WorkloadConfiguration> workloads,
        CgroupManager cgroupManager,
        List<String> defaultEnvironment,
        List<Ulimit> defaultUlimits,
        Map<String, String> defaultSysctls,
        OptionalLong pidsLimit,
        Duration stopTimeout,
        Path namespacesDirectory,
        Path exitsDirectory,
        Path attachSocketDirectory,
        List<Path> absentMountSourcesToReject,
        boolean noPivot,
        String infraCpuset,
        String sharedCpuset,
        boolean podEventsEnabled,
        boolean hostPortMappingDisabled,
        String timezone,
        Optional<Path> defaultMountsFile,
        Optional<Path> bindMountPrefix,
        boolean readOnlyRootFileSystems,
        OomScoreAdjustment oomScoreAdjustment,
        Optional<Path> initPath) {
    /** Who makes cgroups. */
    public enum CgroupManager {
        SYSTEMD("systemd"),
        CGROUPFS("cgroupfs");

        private final String word;

        CgroupManager(String word) {
            this.word = word;
        }

        @Override
        public String toString() {
            return word;
        }
    }

    /**
     * What becomes of an {@code oom_score_adj} below the daemon's own: without CAP_SYS_RESOURCE the
     * kernel refuses it, and the container would not start.
     */
    public enum OomScoreAdjustment {
        /** Clamp only when the daemon lacks the capability. */
        DETECT("detect"),
        /** Always raise it to the daemon's own value. */
        CLAMP("clamp"),
        /** Hand it to the OCI runtime as it is. */
        VERBATIM("verbatim");

        private final String word;

        OomScoreAdjustment(String word) {
            this.word = word;
        }

        @Override
        public String toString() {
            return word;
        }
    }

    public RuntimeConfiguration {
        Require.notEmpty("default_runtime", defaultRuntime);
        runtimes = Require.copy(runtimes);
        Require.that(
                runtimes.containsKey(defaultRuntime),
                "default_runtime is '"
                        + defaultRuntime
                        + "', but there is no table [crio.runtime.runtimes."
                        + defaultRuntime
                        + "]; known are "
                        + runtimes.keySet());
        workloads = Require.copy(workloads);
        defaultEnvironment = List.copyOf(defaultEnvironment);
        for (String entry : defaultEnvironment) {
            Require.that(
                    entry.indexOf('=') > 0,
                    "default_env must hold NAME=value, not '" + entry + "'");
        }
        defaultUlimits = List.copyOf(defaultUlimits);
        defaultSysctls = Require.copy(defaultSysctls);
        pidsLimit.ifPresent(limit -> Require.atLeast("pids_limit", 1, limit));
        Require.atLeast("ctr_stop_timeout", Duration.ZERO, stopTimeout);
        namespacesDirectory = Require.absolute("namespaces_dir", namespacesDirectory);
        exitsDirectory = Require.absolute("container_exits_dir", exitsDirectory);
        attachSocketDirectory =
                Require.absolute("container_attach_socket_dir", attachSocketDirectory);
        absentMountSourcesToReject = List.copyOf(absentMountSourcesToReject);
        Require.absolute("absent_mount_sources_to_reject", absentMountSourcesToReject);
        defaultMountsFile = Require.absolute("default_mounts_file", defaultMountsFile);
        bindMountPrefix = Require.absolute("bind_mount_prefix", bindMountPrefix);
        initPath = Require.absolute("init_path", initPath);
    }

    /** The handler that runs containers whose request names none. */
    public RuntimeHandlerConfiguration defaultHandler() {
        RuntimeHandlerConfiguration handler = runtimes.get(defaultRuntime);
        if (handler == null) {
            throw new IllegalStateException("no handler " + defaultRuntime);
        }
        return handler;
    }
}
