package io.crema.conf;

import static io.crema.conf.Option.option;
import static io.crema.conf.OptionTypes.BYTES;
import static io.crema.conf.OptionTypes.ENVIRONMENT;
import static io.crema.conf.OptionTypes.OPTIONAL_PATH;
import static io.crema.conf.OptionTypes.PATH;
import static io.crema.conf.OptionTypes.SWITCH;
import static io.crema.conf.OptionTypes.TEXT;
import static io.crema.conf.OptionTypes.TEXTS;
import static io.crema.conf.OptionTypes.TEXT_TABLE;

import io.crema.conf.RuntimeConfiguration.CgroupManager;
import io.crema.conf.RuntimeHandlerConfiguration.RuntimeType;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** The options of {@code [crio.runtime.runtimes.<name>]}. */
final class RuntimeHandlerOptions {
    static final OptionTable TABLE =
            new OptionTable("crio.runtime.runtimes.*", "An OCI runtime and its monitor.");

    private static final long MIB = 1024 * 1024;
    private static final long KIB = 1024;

    static final Option<Optional<Path>> RUNTIME_PATH =
            option("runtime_path", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("The runtime's program; empty to search the table's name in PATH.")
                    .reloadable()
                    .in(TABLE);

    static final Option<RuntimeType> RUNTIME_TYPE =
            option("runtime_type", OptionTypes.oneOf(RuntimeType.class), RuntimeType.OCI)
                    .doc("oci for a command line; vm and pod cannot be run yet.")
                    .in(TABLE);

    static final Option<Path> RUNTIME_ROOT =
            option(
                            "runtime_root",
                            PATH,
                            Path.of("/run/crema/runtimes/runc"),
                            settings ->
                                    settings.whole()
                                            .value(StorageOptions.RUNROOT)
                                            .resolve("runtimes")
                                            .resolve(settings.name()))
                    .doc("The runtime's own state.")
                    .in(TABLE);

    static final Option<Optional<Path>> RUNTIME_CONFIG_PATH =
            option("runtime_config_path", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("The configuration of a runtime of type vm.")
                    .notYet()
                    .in(TABLE);

    static final Option<Boolean> INHERIT_DEFAULT_RUNTIME =
            option("inherit_default_runtime", SWITCH, false)
                    .doc("Take path, type and root of the default runtime.")
                    .in(TABLE);

    static final Option<Boolean> PRIVILEGED_WITHOUT_HOST_DEVICES =
            option("privileged_without_host_devices", SWITCH, false)
                    .doc("Do not give privileged containers the host's devices.")
                    .in(TABLE);

    static final Option<List<String>> ALLOWED_ANNOTATIONS =
            option("allowed_annotations", TEXTS, List.<String>of())
                    .doc("Pod annotations that change how containers run.")
                    .in(TABLE);

    static final Option<Map<String, String>> DEFAULT_ANNOTATIONS =
            option("default_annotations", TEXT_TABLE, Map.<String, String>of())
                    .doc("Added to containers that lack them.")
                    .in(TABLE);

    static final Option<Optional<Path>> MONITOR_PATH =
            option("monitor_path", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("The monitor's program; empty to search conmon in PATH.")
                    .in(TABLE);

    static final Option<String> MONITOR_CGROUP =
            option(
                            "monitor_cgroup",
                            OptionTypes.MONITOR_CGROUP,
                            "system.slice",
                            settings ->
                                    settings.whole().value(RuntimeOptions.CGROUP_MANAGER)
                                                    == CgroupManager.SYSTEMD
                                            ? "system.slice"
                                            : "")
                    .doc("The monitor's cgroup: a slice, pod for the pod's own, empty for its own.")
                    .in(TABLE);

    static final Option<List<String>> MONITOR_ENV =
            option(
                            "monitor_env",
                            ENVIRONMENT,
                            List.of(
                                    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
                    .doc("The environment of the monitor and the runtime.")
                    .in(TABLE);

    static final Option<String> MONITOR_EXEC_CGROUP =
            option("monitor_exec_cgroup", OptionTypes.MONITOR_EXEC_CGROUP, "")
                    .doc("container to put the monitors of execs into the container's cgroup.")
                    .notYet()
                    .in(TABLE);

    static final Option<Map<String, String>> PLATFORM_RUNTIME_PATHS =
            option("platform_runtime_paths", TEXT_TABLE, Map.<String, String>of())
                    .doc("Programs by platform.")
                    .noEffect("Crema runs images of the machine's own platform")
                    .in(TABLE);

    static final Option<Boolean> RUNTIME_PULL_IMAGE =
            option("runtime_pull_image", SWITCH, false)
                    .doc("Pull inside the virtual machine.")
                    .noEffect("runtimes of type vm cannot be run yet")
                    .in(TABLE);

    static final Option<Long> CONTAINER_MIN_MEMORY =
            option(
                            "container_min_memory",
                            BYTES,
                            12 * MIB,
                            settings -> settings.name().equals("crun") ? 500 * KIB : 12 * MIB)
                    .doc("A memory limit below that is refused; the runtime needs it to start.")
                    .in(TABLE);

    static final Option<Boolean> NO_SYNC_LOG =
            option("no_sync_log", SWITCH, false)
                    .doc("Do not force the log to disk when a container ends.")
                    .notYet()
                    .in(TABLE);

    static final Option<Boolean> STREAM_WEBSOCKETS =
            option("stream_websockets", SWITCH, false)
                    .doc("Let the monitor serve WebSockets.")
                    .noEffect("only monitors of type pod serve WebSockets themselves")
                    .in(TABLE);

    static final Option<String> EXEC_CPU_AFFINITY =
            option("exec_cpu_affinity", TEXT, "")
                    .doc("first to start execs on the container's first CPU.")
                    .noEffect("the kernel chooses the CPU of an exec")
                    .in(TABLE);

    static final Option<Optional<Path>> HANDLER_SECCOMP_PROFILE =
            option("seccomp_profile", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("What RuntimeDefault means for this runtime; empty for the common one.")
                    .in(TABLE);

    static final Option<Duration> CONTAINER_CREATE_TIMEOUT =
            option(
                            "container_create_timeout",
                            OptionTypes.seconds(
                                    RuntimeHandlerConfiguration.MIN_CREATE_TIMEOUT.toSeconds()),
                            Duration.ofMinutes(4))
                    .doc("Seconds after which a stuck creation is killed.")
                    .in(TABLE);

    private RuntimeHandlerOptions() {}

    static RuntimeHandlerConfiguration read(Settings settings) {
        Settings whole = settings.whole();
        String defaultRuntime = whole.value(RuntimeOptions.DEFAULT_RUNTIME);
        boolean inherits =
                settings.value(INHERIT_DEFAULT_RUNTIME)
                        && !settings.name().equals(defaultRuntime)
                        && whole.runtimes().containsKey(defaultRuntime);
        Settings program = inherits ? whole.runtime(defaultRuntime) : settings;
        return new RuntimeHandlerConfiguration(
                settings.name(),
                program.name(),
                program.value(RUNTIME_PATH),
                program.value(RUNTIME_TYPE),
                program.value(RUNTIME_ROOT),
                settings.value(RUNTIME_CONFIG_PATH),
                settings.value(PRIVILEGED_WITHOUT_HOST_DEVICES),
                settings.value(ALLOWED_ANNOTATIONS),
                settings.value(DEFAULT_ANNOTATIONS),
                settings.value(MONITOR_PATH),
                settings.value(MONITOR_CGROUP),
                settings.value(MONITOR_ENV),
                settings.value(MONITOR_EXEC_CGROUP),
                settings.value(CONTAINER_MIN_MEMORY),
                settings.value(NO_SYNC_LOG),
                settings.value(HANDLER_SECCOMP_PROFILE),
                settings.value(CONTAINER_CREATE_TIMEOUT));
    }
}
