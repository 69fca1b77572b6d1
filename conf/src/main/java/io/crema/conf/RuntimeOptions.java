package io.crema.conf;

import static io.crema.conf.Option.option;
import static io.crema.conf.OptionTypes.ENVIRONMENT;
import static io.crema.conf.OptionTypes.NON_EMPTY_TEXT;
import static io.crema.conf.OptionTypes.OPTIONAL_PATH;
import static io.crema.conf.OptionTypes.PATH;
import static io.crema.conf.OptionTypes.PATHS;
import static io.crema.conf.OptionTypes.SWITCH;
import static io.crema.conf.OptionTypes.SYSCTLS;
import static io.crema.conf.OptionTypes.TEXT;
import static io.crema.conf.OptionTypes.TEXTS;
import static io.crema.conf.OptionTypes.ULIMITS;

import io.crema.conf.LogConfiguration.LogFormat;
import io.crema.conf.LogConfiguration.LogLevel;
import io.crema.conf.RuntimeConfiguration.CgroupManager;
import io.crema.conf.RuntimeConfiguration.OomScoreAdjustment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * The options of {@code [crio.runtime]}, {@code [crema.runtime]} and {@code [crema.log]}. The table
 * of crio.conf holds many subjects, so several records are read from it.
 */
final class RuntimeOptions {
    static final OptionTable TABLE =
            new OptionTable("crio.runtime", "How pods and containers run.");
    static final OptionTable OWN_TABLE =
            new OptionTable("crema.runtime", "What crio.conf has no key for: pods and containers.");
    static final OptionTable LOG_TABLE =
            new OptionTable("crema.log", "What crio.conf has no key for: the daemon's log.");

    private static final String USER_NAMESPACES =
            "pods ask for user namespaces in their own specification (hostUsers: false)";

    // Which runtime

    static final Option<String> DEFAULT_RUNTIME =
            option("default_runtime", NON_EMPTY_TEXT, "runc")
                    .doc(
                            "The table of crio.runtime.runtimes for pods that name no handler. CRI-O"
                                    + " takes crun; runc is what every distribution has, and the crun"
                                    + " of some refuses cgroups of version 1.")
                    .flags("--default-runtime")
                    .reloadable()
                    .in(TABLE);

    static final Option<Optional<Path>> CONMON =
            option("conmon", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("The monitor's program.")
                    .flags("--conmon")
                    .deprecated("monitor_path of each table of crio.runtime.runtimes")
                    .in(TABLE);

    static final Option<String> CONMON_CGROUP =
            option("conmon_cgroup", OptionTypes.MONITOR_CGROUP, "")
                    .doc("The monitor's cgroup.")
                    .flags("--conmon-cgroup")
                    .deprecated("monitor_cgroup of each table of crio.runtime.runtimes")
                    .in(TABLE);

    static final Option<List<String>> CONMON_ENV =
            option("conmon_env", ENVIRONMENT, List.<String>of())
                    .doc("The monitor's environment.")
                    .flags("--conmon-env")
                    .deprecated("monitor_env of each table of crio.runtime.runtimes")
                    .in(TABLE);

    // Cgroups and limits

    static final Option<CgroupManager> CGROUP_MANAGER =
            option(
                            "cgroup_manager",
                            OptionTypes.oneOf(CgroupManager.class),
                            CgroupManager.SYSTEMD,
                            settings ->
                                    settings.host().systemd()
                                            ? CgroupManager.SYSTEMD
                                            : CgroupManager.CGROUPFS)
                    .doc(
                            "Who makes cgroups, systemd or cgroupfs; unset, it is systemd where"
                                    + " systemd runs. Kubelet asks for it.")
                    .flags("--cgroup-manager")
                    .in(TABLE);

    static final Option<List<Ulimit>> DEFAULT_ULIMITS =
            option("default_ulimits", ULIMITS, List.<Ulimit>of())
                    .doc("Resource limits of every process: nofile=1024:2048.")
                    .flags("--default-ulimits")
                    .in(TABLE);

    static final Option<OptionalLong> PIDS_LIMIT =
            option("pids_limit", OptionTypes.limitOfAtLeast(1), OptionalLong.empty())
                    .doc("Processes that a container may have; -1 to leave it to kubelet.")
                    .flags("--pids-limit")
                    .in(TABLE);

    static final Option<Duration> CTR_STOP_TIMEOUT =
            option("ctr_stop_timeout", OptionTypes.seconds(0), Duration.ofSeconds(30))
                    .doc("Seconds that a container has to stop when the request names none.")
                    .flags("--ctr-stop-timeout")
                    .environment("CONTAINER_STOP_TIMEOUT")
                    .in(TABLE);

    static final Option<String> INFRA_CTR_CPUSET =
            option("infra_ctr_cpuset", TEXT, "")
                    .doc("CPUs of monitors and of the pods' own processes: 0-1,3.")
                    .flags("--infra-ctr-cpuset")
                    .notYet()
                    .in(TABLE);

    static final Option<String> SHARED_CPUSET =
            option("shared_cpuset", TEXT, "")
                    .doc("CPUs that containers with exclusive ones may share.")
                    .flags("--shared-cpuset")
                    .notYet()
                    .in(TABLE);

    static final Option<Long> MIN_INJECTED_GOMAXPROCS =
            option("min_injected_gomaxprocs", OptionTypes.atLeast(0), 0L)
                    .doc("Set GOMAXPROCS of burstable pods to at least that.")
                    .flags("--min-injected-gomaxprocs")
                    .environment("CONTAINER_INJECT_GOMAXPROCS")
                    .noEffect("Go programs read the limits of their cgroup themselves since 1.25")
                    .in(TABLE);

    static final Option<String> BLOCKIO_CONFIG_FILE =
            option("blockio_config_file", TEXT, "")
                    .doc("Classes of block I/O.")
                    .flags("--blockio-config-file")
                    .notYet()
                    .in(TABLE);

    static final Option<Boolean> BLOCKIO_RELOAD =
            option("blockio_reload", SWITCH, false)
                    .doc("Read the classes again for each container.")
                    .flags("--blockio-reload")
                    .notYet()
                    .in(TABLE);

    static final Option<String> IRQBALANCE_CONFIG_FILE =
            option("irqbalance_config_file", TEXT, "/etc/sysconfig/irqbalance")
                    .doc("The file of the irqbalance service.")
                    .flags("--irqbalance-config-file")
                    .noEffect("Crema does not steer interrupts")
                    .in(TABLE);

    static final Option<String> IRQBALANCE_CONFIG_RESTORE_FILE =
            option("irqbalance_config_restore_file", TEXT, "/etc/sysconfig/orig_irq_banned_cpus")
                    .doc("Where the mask of that file is kept.")
                    .flags("--irqbalance-config-restore-file")
                    .noEffect("Crema does not steer interrupts")
                    .in(TABLE);

    static final Option<String> RDT_CONFIG_FILE =
            option("rdt_config_file", TEXT, "")
                    .doc("Classes of Intel RDT.")
                    .flags("--rdt-config-file")
                    .noEffect("Crema does not set classes of Intel RDT")
                    .in(TABLE);

    // What containers get

    static final Option<List<String>> DEFAULT_ENV =
            option("default_env", ENVIRONMENT, List.<String>of())
                    .doc("Variables of every container; image and request win over them.")
                    .flags("--default-env")
                    .in(TABLE);

    static final Option<Map<String, String>> DEFAULT_SYSCTLS =
            option("default_sysctls", SYSCTLS, Map.<String, String>of())
                    .doc("Namespaced kernel parameters of every pod: net.ipv4.ip_forward=1.")
                    .flags("--default-sysctls")
                    .in(TABLE);

    static final Option<Optional<Path>> DEFAULT_MOUNTS_FILE =
            option("default_mounts_file", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("Mounts of every container, host:container on each line.")
                    .flags("--default-mounts-file")
                    .notYet()
                    .in(TABLE);

    static final Option<List<String>> DEFAULT_MOUNTS =
            option("default_mounts", TEXTS, List.<String>of())
                    .doc("Mounts of every container.")
                    .flags("--default-mounts")
                    .noEffect("CRI-O removed it; use default_mounts_file")
                    .in(TABLE);

    static final Option<List<Path>> ABSENT_MOUNT_SOURCES_TO_REJECT =
            option("absent_mount_sources_to_reject", PATHS, List.<Path>of())
                    .doc("Mount sources that are never made when they are missing.")
                    .flags("--absent-mount-sources-to-reject")
                    .in(TABLE);

    static final Option<Optional<Path>> BIND_MOUNT_PREFIX =
            option("bind_mount_prefix", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("Put before every host path of a mount.")
                    .flags("--bind-mount-prefix")
                    .in(TABLE);

    static final Option<Boolean> READ_ONLY =
            option("read_only", SWITCH, false)
                    .doc("Make all root file systems read-only.")
                    .flags("--read-only")
                    .in(TABLE);

    static final Option<Boolean> NO_PIVOT =
            option("no_pivot", SWITCH, false)
                    .doc("Enter root file systems by MS_MOVE, for hosts that run from a ramdisk.")
                    .flags("--no-pivot")
                    .notYet()
                    .in(TABLE);

    static final Option<String> TIMEZONE =
            option("timezone", TEXT, "")
                    .doc("Containers' time zone: Europe/Rome, or Local for the host's.")
                    .flags("--timezone", "--tz")
                    .environment("CONTAINER_TIME_ZONE")
                    .in(TABLE);

    // What confines them

    static final Option<Boolean> SELINUX =
            option("selinux", SWITCH, false)
                    .doc("Label processes and files; the kernel must run with SELinux.")
                    .flags("--selinux")
                    .in(TABLE);

    static final Option<Boolean> HOSTNETWORK_DISABLE_SELINUX =
            option("hostnetwork_disable_selinux", SWITCH, true)
                    .doc("Leave pods on the host's network without label.")
                    .flags("--hostnetwork-disable-selinux")
                    .in(TABLE);

    static final Option<Optional<Path>> SECCOMP_PROFILE =
            option("seccomp_profile", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("What RuntimeDefault means; empty for the built-in profile.")
                    .flags("--seccomp-profile")
                    .reloadable()
                    .in(TABLE);

    static final Option<Optional<Path>> PRIVILEGED_SECCOMP_PROFILE =
            option("privileged_seccomp_profile", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("The profile of privileged containers; empty for none.")
                    .flags("--privileged-seccomp-profile")
                    .reloadable()
                    .in(TABLE);

    static final Option<String> APPARMOR_PROFILE =
            option("apparmor_profile", NON_EMPTY_TEXT, "crema-default")
                    .doc("What RuntimeDefault means; crema-default and crio-default are built in.")
                    .flags("--apparmor-profile")
                    .reloadable()
                    .in(TABLE);

    static final Option<List<String>> DEFAULT_CAPABILITIES =
            option(
                            "default_capabilities",
                            OptionTypes.CAPABILITIES,
                            List.of(
                                    "CHOWN",
                                    "DAC_OVERRIDE",
                                    "FSETID",
                                    "FOWNER",
                                    "SETGID",
                                    "SETUID",
                                    "SETPCAP",
                                    "NET_BIND_SERVICE",
                                    "KILL"))
                    .doc("Capabilities of containers whose request changes none.")
                    .flags("--default-capabilities")
                    .in(TABLE);

    static final Option<Boolean> ADD_INHERITABLE_CAPABILITIES =
            option("add_inheritable_capabilities", SWITCH, false)
                    .doc("Also put capabilities into the inheritable set.")
                    .flags("--add-inheritable-capabilities")
                    .in(TABLE);

    static final Option<String> UID_MAPPINGS =
            option("uid_mappings", TEXT, "")
                    .doc("A user namespace for all containers.")
                    .flags("--uid-mappings")
                    .refused(USER_NAMESPACES)
                    .in(TABLE);

    static final Option<Long> MINIMUM_MAPPABLE_UID =
            option("minimum_mappable_uid", OptionTypes.atLeast(-1), -1L)
                    .doc("The lowest host user of that namespace.")
                    .flags("--minimum-mappable-uid")
                    .noEffect(USER_NAMESPACES)
                    .in(TABLE);

    static final Option<String> GID_MAPPINGS =
            option("gid_mappings", TEXT, "")
                    .doc("The groups of that namespace.")
                    .flags("--gid-mappings")
                    .refused(USER_NAMESPACES)
                    .in(TABLE);

    static final Option<Long> MINIMUM_MAPPABLE_GID =
            option("minimum_mappable_gid", OptionTypes.atLeast(-1), -1L)
                    .doc("The lowest host group of that namespace.")
                    .flags("--minimum-mappable-gid")
                    .noEffect(USER_NAMESPACES)
                    .in(TABLE);

    // Devices and hooks

    static final Option<List<Path>> ALLOWED_DEVICES =
            option("allowed_devices", PATHS, List.of(Path.of("/dev/fuse"), Path.of("/dev/net/tun")))
                    .doc("What the devices annotation of a pod may name.")
                    .flags("--allowed-devices")
                    .in(TABLE);

    static final Option<List<String>> ADDITIONAL_DEVICES =
            option("additional_devices", TEXTS, List.<String>of())
                    .doc("Devices of every container: /dev/sdc:/dev/xvdc:rwm.")
                    .flags("--additional-devices")
                    .in(TABLE);

    static final Option<List<Path>> CDI_SPEC_DIRS =
            option("cdi_spec_dirs", PATHS, List.of(Path.of("/etc/cdi"), Path.of("/var/run/cdi")))
                    .doc("Specifications of container devices; later directories win.")
                    .flags("--cdi-spec-dirs")
                    .reloadable()
                    .in(TABLE);

    static final Option<Boolean> DEVICE_OWNERSHIP_FROM_SECURITY_CONTEXT =
            option("device_ownership_from_security_context", SWITCH, false)
                    .doc("Give devices to the user that the container runs as.")
                    .flags("--device-ownership-from-security-context")
                    .in(TABLE);

    static final Option<List<Path>> HOOKS_DIR =
            option("hooks_dir", PATHS, List.of(Path.of("/usr/share/containers/oci/hooks.d")))
                    .doc("OCI hooks; later directories win.")
                    .flags("--hooks-dir")
                    .in(TABLE);

    // Logs

    static final Option<LogLevel> LOG_LEVEL =
            option("log_level", OptionTypes.oneOf(LogLevel.class), LogLevel.INFO)
                    .doc(
                            "How much the daemon tells: fatal, panic, error, warn, info, debug, trace.")
                    .flags("--log-level", "-l")
                    .reloadable()
                    .in(TABLE);

    static final Option<String> LOG_FILTER =
            option("log_filter", OptionTypes.REGULAR_EXPRESSION, "")
                    .doc("Only messages that match this regular expression are logged.")
                    .flags("--log-filter")
                    .notYet()
                    .reloadable()
                    .in(TABLE);

    static final Option<OptionalLong> LOG_SIZE_MAX =
            option("log_size_max", OptionTypes.limitOfAtLeast(8192), OptionalLong.empty())
                    .doc(
                            "A container log is begun anew beyond that many bytes; -1 to leave it"
                                    + " to kubelet.")
                    .flags("--log-size-max")
                    .in(TABLE);

    static final Option<Boolean> LOG_TO_JOURNALD =
            option("log_to_journald", SWITCH, false)
                    .doc("Also write container logs to the journal.")
                    .flags("--log-journald")
                    .notYet()
                    .in(TABLE);

    static final Option<LogFormat> LOG_FORMAT =
            option("format", OptionTypes.oneOf(LogFormat.class), LogFormat.TEXT)
                    .doc("How the daemon writes its log: text or json.")
                    .flags("--log-format")
                    .notYet()
                    .in(LOG_TABLE);

    static final Option<Optional<Path>> LOG_FILE =
            option("file", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc("Where the daemon writes its log; empty for standard error.")
                    .flags("--log")
                    .notYet()
                    .in(LOG_TABLE);

    // Places

    static final Option<Path> CONTAINER_EXITS_DIR =
            option(
                            "container_exits_dir",
                            PATH,
                            Path.of("/run/crema/exits"),
                            settings -> settings.value(StorageOptions.RUNROOT).resolve("exits"))
                    .doc("Where monitors leave the exit codes of containers.")
                    .flags("--container-exits-dir")
                    .in(TABLE);

    static final Option<Path> CONTAINER_ATTACH_SOCKET_DIR =
            option(
                            "container_attach_socket_dir",
                            PATH,
                            Path.of("/run/crema/attach"),
                            settings -> settings.value(StorageOptions.RUNROOT).resolve("attach"))
                    .doc("Where monitors put the sockets for attach.")
                    .flags("--container-attach-socket-dir")
                    .in(TABLE);

    static final Option<Path> NAMESPACES_DIR =
            option(
                            "namespaces_dir",
                            PATH,
                            Path.of("/run/crema/ns"),
                            settings -> settings.value(StorageOptions.RUNROOT).resolve("ns"))
                    .doc("Where the namespaces of pods are pinned.")
                    .flags("--namespaces-dir")
                    .in(TABLE);

    static final Option<String> PINNS_PATH =
            option("pinns_path", TEXT, "")
                    .doc("A program that pins namespaces.")
                    .flags("--pinns-path")
                    .noEffect("the daemon pins namespaces itself")
                    .in(TABLE);

    // Behaviour

    static final Option<Boolean> DROP_INFRA_CTR =
            option("drop_infra_ctr", SWITCH, true)
                    .doc("Give a pod a process of its own only when it shares its PID namespace.")
                    .flags("--drop-infra-ctr")
                    .noEffect("a pod here has a process only when it shares its PID namespace")
                    .in(TABLE);

    static final Option<Boolean> ENABLE_CRIU_SUPPORT =
            option("enable_criu_support", SWITCH, true)
                    .doc("Allow checkpoints.")
                    .flags("--enable-criu-support")
                    .deprecated("container_level_enabled of crio.checkpoint_restore")
                    .in(TABLE);

    static final Option<Boolean> ENABLE_POD_EVENTS =
            option("enable_pod_events", SWITCH, true)
                    .doc("Tell kubelet of changes as they happen (GetContainerEvents).")
                    .flags("--enable-pod-events")
                    .environment("ENABLE_POD_EVENTS")
                    .in(TABLE);

    static final Option<Boolean> DISABLE_HOSTPORT_MAPPING =
            option("disable_hostport_mapping", SWITCH, false)
                    .doc("Ignore host ports of pods.")
                    .flags("--disable-hostport-mapping")
                    .environment("DISABLE_HOSTPORT_MAPPING")
                    .in(TABLE);

    static final Option<OomScoreAdjustment> OOM_SCORE_ADJUSTMENT =
            option(
                            "oom_score_adjustment",
                            OptionTypes.oneOf(OomScoreAdjustment.class),
                            OomScoreAdjustment.DETECT)
                    .doc(
                            "An oom_score_adj below the daemon's own: clamp it to that, hand it on"
                                    + " verbatim, or detect whether the daemon lacks CAP_SYS_RESOURCE"
                                    + " and clamp only then.")
                    .in(OWN_TABLE);

    static final Option<Optional<Path>> INIT_PATH =
            option("init_path", OPTIONAL_PATH, Optional.<Path>empty())
                    .doc(
                            "The static program that is PID 1 of pods that share their PID"
                                    + " namespace; empty to search catatonit.")
                    .in(OWN_TABLE);

    private RuntimeOptions() {}

    static RuntimeConfiguration read(Settings settings) {
        Map<String, RuntimeHandlerConfiguration> runtimes = new LinkedHashMap<>();
        settings.runtimes()
                .forEach((name, below) -> runtimes.put(name, RuntimeHandlerOptions.read(below)));
        Map<String, WorkloadConfiguration> workloads = new LinkedHashMap<>();
        settings.workloads()
                .forEach((name, below) -> workloads.put(name, WorkloadOptions.read(below)));
        return new RuntimeConfiguration(
                settings.value(DEFAULT_RUNTIME),
                runtimes,
                workloads,
                settings.value(CGROUP_MANAGER),
                settings.value(DEFAULT_ENV),
                settings.value(DEFAULT_ULIMITS),
                settings.value(DEFAULT_SYSCTLS),
                settings.value(PIDS_LIMIT),
                settings.value(CTR_STOP_TIMEOUT),
                settings.value(NAMESPACES_DIR),
                settings.value(CONTAINER_EXITS_DIR),
                settings.value(CONTAINER_ATTACH_SOCKET_DIR),
                settings.value(ABSENT_MOUNT_SOURCES_TO_REJECT),
                settings.value(NO_PIVOT),
                settings.value(INFRA_CTR_CPUSET),
                settings.value(SHARED_CPUSET),
                settings.value(ENABLE_POD_EVENTS),
                settings.value(DISABLE_HOSTPORT_MAPPING),
                settings.value(TIMEZONE),
                settings.value(DEFAULT_MOUNTS_FILE),
                settings.value(BIND_MOUNT_PREFIX),
                settings.value(READ_ONLY),
                settings.value(OOM_SCORE_ADJUSTMENT),
                settings.value(INIT_PATH));
    }

    static SecurityConfiguration readSecurity(Settings settings) {
        return new SecurityConfiguration(
                settings.value(SELINUX),
                settings.value(HOSTNETWORK_DISABLE_SELINUX),
                settings.value(SECCOMP_PROFILE),
                settings.value(PRIVILEGED_SECCOMP_PROFILE),
                settings.value(APPARMOR_PROFILE),
                settings.value(DEFAULT_CAPABILITIES),
                settings.value(ADD_INHERITABLE_CAPABILITIES));
    }

    static DeviceConfiguration readDevices(Settings settings) {
        return new DeviceConfiguration(
                settings.value(ALLOWED_DEVICES),
                settings.value(ADDITIONAL_DEVICES),
                settings.value(CDI_SPEC_DIRS),
                settings.value(DEVICE_OWNERSHIP_FROM_SECURITY_CONTEXT),
                settings.value(HOOKS_DIR));
    }

    static LogConfiguration readLog(Settings settings) {
        return new LogConfiguration(
                settings.value(LOG_LEVEL),
                settings.value(LOG_FILTER),
                settings.value(LOG_FORMAT),
                settings.value(LOG_FILE),
                settings.value(LOG_SIZE_MAX),
                settings.value(LOG_TO_JOURNALD));
    }
}
