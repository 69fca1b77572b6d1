package io.crema.conf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.conf.ApiConfiguration.TlsVersion;
import io.crema.conf.CheckpointConfiguration.ContainerLevel;
import io.crema.conf.ImageSettings.ImageVolumes;
import io.crema.conf.ImageSettings.ShortNameMode;
import io.crema.conf.LogConfiguration.LogFormat;
import io.crema.conf.LogConfiguration.LogLevel;
import io.crema.conf.RuntimeConfiguration.CgroupManager;
import io.crema.conf.RuntimeConfiguration.OomScoreAdjustment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Sets every option to something else than its default and looks for the effect. An option that is
 * not in the list below fails {@link #everyOptionHasARow}.
 */
class OptionsTest {
    private static final ConfigurationLoader LOADER = new ConfigurationLoader(new HostFacts(true));

    /** A name for the tables whose name the file chooses. */
    private static final String NAME = "kata";

    /**
     * An option, a value in TOML that is not its default, and what must come of it.
     *
     * @param accessor absent for options without a place in the records
     */
    record Row(
            Option<?> option,
            String toml,
            Optional<Function<CremaConfiguration, Object>> accessor,
            Object expected) {
        /** A whole file that sets the option. */
        String file() {
            String header = option.table().name().replace("*", NAME);
            if (option.equals(RuntimeOptions.DEFAULT_RUNTIME)) {
                return "[crio.runtime.runtimes.kata]\n[" + header + "]\n" + line();
            }
            boolean needsActivation =
                    option.table().equals(WorkloadOptions.TABLE)
                            && !option.equals(WorkloadOptions.ACTIVATION_ANNOTATION);
            boolean needsCertificate = option.equals(ApiOptions.STREAM_ENABLE_TLS);
            return "["
                    + header
                    + "]\n"
                    + (needsActivation ? "activation_annotation = 'a'\n" : "")
                    + (needsCertificate ? "stream_tls_cert = '/c'\nstream_tls_key = '/k'\n" : "")
                    + line();
        }

        String line() {
            return option.key() + " = " + toml + "\n";
        }

        @Override
        public String toString() {
            return option.path() + " = " + toml;
        }
    }

    private static Row row(
            Option<?> option,
            String toml,
            Object expected,
            Function<CremaConfiguration, Object> accessor) {
        return new Row(option, toml, Optional.of(accessor), expected);
    }

    /** An option that the records do not carry, because nothing could act on it. */
    private static Row row(Option<?> option, String toml) {
        return new Row(option, toml, Optional.empty(), "");
    }

    /** An option of one OCI runtime. */
    private static Row runtime(
            Option<?> option,
            String toml,
            Object expected,
            Function<RuntimeHandlerConfiguration, Object> accessor) {
        return row(
                option,
                toml,
                expected,
                configuration ->
                        accessor.apply(
                                Objects.requireNonNull(
                                        configuration.runtime().runtimes().get(NAME))));
    }

    /** An option of one workload. */
    private static Row workload(
            Option<?> option,
            String toml,
            Object expected,
            Function<WorkloadConfiguration, Object> accessor) {
        return row(
                option,
                toml,
                expected,
                configuration ->
                        accessor.apply(
                                Objects.requireNonNull(
                                        configuration.runtime().workloads().get(NAME))));
    }

    private static Optional<Path> path(String path) {
        return Optional.of(Path.of(path));
    }

    static List<Row> rows() {
        List<Row> rows = new ArrayList<>();
        rows.addAll(storage());
        rows.addAll(api());
        rows.addAll(runtime());
        rows.addAll(confinement());
        rows.addAll(logs());
        rows.addAll(runtimes());
        rows.addAll(images());
        rows.addAll(network());
        rows.addAll(observation());
        rows.addAll(nri());
        return rows;
    }

    private static List<Row> storage() {
        return List.of(
                row(StorageOptions.ROOT, "'/d/lib'", Path.of("/d/lib"), c -> c.storage().root()),
                row(
                        StorageOptions.RUNROOT,
                        "'/d/run'",
                        Path.of("/d/run"),
                        c -> c.storage().runRoot()),
                row(
                        StorageOptions.IMAGESTORE,
                        "'/d/images'",
                        path("/d/images"),
                        c -> c.storage().imageStore()),
                row(StorageOptions.STORAGE_DRIVER, "'vfs'"),
                row(
                        StorageOptions.STORAGE_OPTION,
                        "['overlay.mountopt=nodev']",
                        List.of("overlay.mountopt=nodev"),
                        c -> c.storage().driverOptions()),
                row(
                        StorageOptions.LOG_DIR,
                        "'/d/log'",
                        Path.of("/d/log"),
                        c -> c.storage().logDirectory()),
                row(
                        StorageOptions.VERSION_FILE,
                        "'/d/version'",
                        Path.of("/d/version"),
                        c -> c.storage().versionFile()),
                row(
                        StorageOptions.VERSION_FILE_PERSIST,
                        "'/d/persist'",
                        path("/d/persist"),
                        c -> c.storage().persistentVersionFile()),
                row(
                        StorageOptions.CLEAN_SHUTDOWN_FILE,
                        "'/d/clean'",
                        Path.of("/d/clean"),
                        c -> c.storage().cleanShutdownFile()),
                row(StorageOptions.INTERNAL_WIPE, "false"),
                row(
                        StorageOptions.INTERNAL_REPAIR,
                        "false",
                        false,
                        c -> c.storage().repairAfterUncleanStop()));
    }

    private static List<Row> api() {
        return List.of(
                row(ApiOptions.LISTEN, "'/d/sock'", Path.of("/d/sock"), c -> c.api().listen()),
                row(ApiOptions.STREAM_ADDRESS, "'::1'", "::1", c -> c.api().streamAddress()),
                row(ApiOptions.STREAM_PORT, "'10010'", 10010, c -> c.api().streamPort()),
                row(ApiOptions.STREAM_ENABLE_TLS, "true", true, c -> c.api().streamTlsEnabled()),
                row(
                        ApiOptions.STREAM_TLS_CERT,
                        "'/d/cert'",
                        path("/d/cert"),
                        c -> c.api().streamTlsCertificate()),
                row(
                        ApiOptions.STREAM_TLS_KEY,
                        "'/d/key'",
                        path("/d/key"),
                        c -> c.api().streamTlsKey()),
                row(
                        ApiOptions.STREAM_TLS_CA,
                        "'/d/ca'",
                        path("/d/ca"),
                        c -> c.api().streamTlsAuthorities()),
                row(
                        ApiOptions.STREAM_IDLE_TIMEOUT,
                        "'1h30m'",
                        Duration.ofMinutes(90),
                        c -> c.api().streamIdleTimeout()),
                row(
                        ApiOptions.TLS_MIN_VERSION,
                        "'VersionTLS13'",
                        TlsVersion.TLS_1_3,
                        c -> c.api().tlsMinimumVersion()),
                row(
                        ApiOptions.TLS_CIPHER_SUITES,
                        "['TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256']",
                        List.of("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
                        c -> c.api().tlsCipherSuites()),
                row(
                        ApiOptions.GRPC_MAX_SEND_MSG_SIZE,
                        "33554432",
                        33554432,
                        c -> c.api().maxSendMessageBytes()),
                row(
                        ApiOptions.GRPC_MAX_RECV_MSG_SIZE,
                        "16777216",
                        16777216,
                        c -> c.api().maxReceiveMessageBytes()),
                row(
                        ApiOptions.SHUTDOWN_GRACE_PERIOD,
                        "'250ms'",
                        Duration.ofMillis(250),
                        c -> c.api().shutdownGracePeriod()));
    }

    private static List<Row> runtime() {
        return List.of(
                row(
                        RuntimeOptions.DEFAULT_RUNTIME,
                        "'kata'",
                        "kata",
                        c -> c.runtime().defaultHandler().name()),
                row(
                        RuntimeOptions.CONMON,
                        "'/d/conmon'",
                        path("/d/conmon"),
                        c -> c.runtime().defaultHandler().monitorPath()),
                row(
                        RuntimeOptions.CONMON_CGROUP,
                        "'pod'",
                        "pod",
                        c -> c.runtime().defaultHandler().monitorCgroup()),
                row(
                        RuntimeOptions.CONMON_ENV,
                        "['A=b']",
                        List.of("A=b"),
                        c -> c.runtime().defaultHandler().monitorEnvironment()),
                row(
                        RuntimeOptions.CGROUP_MANAGER,
                        "'cgroupfs'",
                        CgroupManager.CGROUPFS,
                        c -> c.runtime().cgroupManager()),
                row(
                        RuntimeOptions.DEFAULT_ULIMITS,
                        "['nofile=1024:2048', 'core=unlimited']",
                        List.of(new Ulimit("nofile", 1024, 2048), new Ulimit("core", -1, -1)),
                        c -> c.runtime().defaultUlimits()),
                row(
                        RuntimeOptions.PIDS_LIMIT,
                        "1024",
                        OptionalLong.of(1024),
                        c -> c.runtime().pidsLimit()),
                row(
                        RuntimeOptions.CTR_STOP_TIMEOUT,
                        "45",
                        Duration.ofSeconds(45),
                        c -> c.runtime().stopTimeout()),
                row(
                        RuntimeOptions.INFRA_CTR_CPUSET,
                        "'0-1'",
                        "0-1",
                        c -> c.runtime().infraCpuset()),
                row(RuntimeOptions.SHARED_CPUSET, "'2'", "2", c -> c.runtime().sharedCpuset()),
                row(RuntimeOptions.MIN_INJECTED_GOMAXPROCS, "2"),
                row(RuntimeOptions.BLOCKIO_CONFIG_FILE, "'/d/blockio'"),
                row(RuntimeOptions.BLOCKIO_RELOAD, "true"),
                row(RuntimeOptions.IRQBALANCE_CONFIG_FILE, "'/d/irq'"),
                row(RuntimeOptions.IRQBALANCE_CONFIG_RESTORE_FILE, "'disable'"),
                row(RuntimeOptions.RDT_CONFIG_FILE, "'/d/rdt'"),
                row(
                        RuntimeOptions.DEFAULT_ENV,
                        "['A=b=c']",
                        List.of("A=b=c"),
                        c -> c.runtime().defaultEnvironment()),
                row(
                        RuntimeOptions.DEFAULT_SYSCTLS,
                        "['net.ipv4.ip_forward=1', 'kernel.msgmax = 8192']",
                        Map.of("net.ipv4.ip_forward", "1", "kernel.msgmax", "8192"),
                        c -> c.runtime().defaultSysctls()),
                row(
                        RuntimeOptions.DEFAULT_MOUNTS_FILE,
                        "'/d/mounts'",
                        path("/d/mounts"),
                        c -> c.runtime().defaultMountsFile()),
                row(RuntimeOptions.DEFAULT_MOUNTS, "['/a:/b']"),
                row(
                        RuntimeOptions.ABSENT_MOUNT_SOURCES_TO_REJECT,
                        "['/etc/hostname']",
                        List.of(Path.of("/etc/hostname")),
                        c -> c.runtime().absentMountSourcesToReject()),
                row(
                        RuntimeOptions.BIND_MOUNT_PREFIX,
                        "'/host'",
                        path("/host"),
                        c -> c.runtime().bindMountPrefix()),
                row(
                        RuntimeOptions.READ_ONLY,
                        "true",
                        true,
                        c -> c.runtime().readOnlyRootFileSystems()),
                row(RuntimeOptions.NO_PIVOT, "true", true, c -> c.runtime().noPivot()),
                row(
                        RuntimeOptions.TIMEZONE,
                        "'Europe/Rome'",
                        "Europe/Rome",
                        c -> c.runtime().timezone()),
                row(
                        RuntimeOptions.CONTAINER_EXITS_DIR,
                        "'/d/exits'",
                        Path.of("/d/exits"),
                        c -> c.runtime().exitsDirectory()),
                row(
                        RuntimeOptions.CONTAINER_ATTACH_SOCKET_DIR,
                        "'/d/attach'",
                        Path.of("/d/attach"),
                        c -> c.runtime().attachSocketDirectory()),
                row(
                        RuntimeOptions.NAMESPACES_DIR,
                        "'/d/ns'",
                        Path.of("/d/ns"),
                        c -> c.runtime().namespacesDirectory()),
                row(RuntimeOptions.PINNS_PATH, "'/d/pinns'"),
                row(RuntimeOptions.DROP_INFRA_CTR, "false"),
                row(
                        RuntimeOptions.ENABLE_CRIU_SUPPORT,
                        "false",
                        ContainerLevel.NONE,
                        c -> c.checkpoint().containerLevel()),
                row(
                        CheckpointOptions.CONTAINER_LEVEL_ENABLED,
                        "'checkpoint_only'",
                        ContainerLevel.CHECKPOINT_ONLY,
                        c -> c.checkpoint().containerLevel()),
                row(
                        RuntimeOptions.ENABLE_POD_EVENTS,
                        "false",
                        false,
                        c -> c.runtime().podEventsEnabled()),
                row(
                        RuntimeOptions.DISABLE_HOSTPORT_MAPPING,
                        "true",
                        true,
                        c -> c.runtime().hostPortMappingDisabled()),
                row(
                        RuntimeOptions.OOM_SCORE_ADJUSTMENT,
                        "'verbatim'",
                        OomScoreAdjustment.VERBATIM,
                        c -> c.runtime().oomScoreAdjustment()),
                row(
                        RuntimeOptions.INIT_PATH,
                        "'/d/init'",
                        path("/d/init"),
                        c -> c.runtime().initPath()));
    }

    private static List<Row> confinement() {
        return List.of(
                row(RuntimeOptions.SELINUX, "true", true, c -> c.security().selinux()),
                row(
                        RuntimeOptions.HOSTNETWORK_DISABLE_SELINUX,
                        "false",
                        false,
                        c -> c.security().hostNetworkDisablesSelinux()),
                row(
                        RuntimeOptions.SECCOMP_PROFILE,
                        "'/d/seccomp'",
                        path("/d/seccomp"),
                        c -> c.security().seccompProfile()),
                row(
                        RuntimeOptions.PRIVILEGED_SECCOMP_PROFILE,
                        "'/d/privileged'",
                        path("/d/privileged"),
                        c -> c.security().privilegedSeccompProfile()),
                row(
                        RuntimeOptions.APPARMOR_PROFILE,
                        "'mine'",
                        "mine",
                        c -> c.security().appArmorProfile()),
                row(
                        RuntimeOptions.DEFAULT_CAPABILITIES,
                        "['cap_net_raw', 'KILL']",
                        List.of("NET_RAW", "KILL"),
                        c -> c.security().defaultCapabilities()),
                row(
                        RuntimeOptions.ADD_INHERITABLE_CAPABILITIES,
                        "true",
                        true,
                        c -> c.security().inheritableCapabilities()),
                row(RuntimeOptions.UID_MAPPINGS, "'0:1000:1000'"),
                row(RuntimeOptions.MINIMUM_MAPPABLE_UID, "1000"),
                row(RuntimeOptions.GID_MAPPINGS, "'0:1000:1000'"),
                row(RuntimeOptions.MINIMUM_MAPPABLE_GID, "1000"),
                row(
                        RuntimeOptions.ALLOWED_DEVICES,
                        "['/dev/kvm']",
                        List.of(Path.of("/dev/kvm")),
                        c -> c.devices().allowedDevices()),
                row(
                        RuntimeOptions.ADDITIONAL_DEVICES,
                        "['/dev/sdc:/dev/xvdc:rwm']",
                        List.of("/dev/sdc:/dev/xvdc:rwm"),
                        c -> c.devices().additionalDevices()),
                row(
                        RuntimeOptions.CDI_SPEC_DIRS,
                        "['/d/cdi']",
                        List.of(Path.of("/d/cdi")),
                        c -> c.devices().cdiSpecDirectories()),
                row(
                        RuntimeOptions.DEVICE_OWNERSHIP_FROM_SECURITY_CONTEXT,
                        "true",
                        true,
                        c -> c.devices().ownershipFromSecurityContext()),
                row(
                        RuntimeOptions.HOOKS_DIR,
                        "['/d/hooks', '/d/more']",
                        List.of(Path.of("/d/hooks"), Path.of("/d/more")),
                        c -> c.devices().hooksDirectories()));
    }

    private static List<Row> logs() {
        return List.of(
                row(RuntimeOptions.LOG_LEVEL, "'debug'", LogLevel.DEBUG, c -> c.log().level()),
                row(RuntimeOptions.LOG_FILTER, "'rpc.*'", "rpc.*", c -> c.log().filter()),
                row(
                        RuntimeOptions.LOG_SIZE_MAX,
                        "8192",
                        OptionalLong.of(8192),
                        c -> c.log().containerLogSizeMaxBytes()),
                row(
                        RuntimeOptions.LOG_TO_JOURNALD,
                        "true",
                        true,
                        c -> c.log().containerLogsToJournal()),
                row(RuntimeOptions.LOG_FORMAT, "'json'", LogFormat.JSON, c -> c.log().format()),
                row(RuntimeOptions.LOG_FILE, "'/d/log'", path("/d/log"), c -> c.log().file()));
    }

    private static List<Row> runtimes() {
        return List.of(
                runtime(
                        RuntimeHandlerOptions.RUNTIME_PATH,
                        "'/d/kata'",
                        path("/d/kata"),
                        r -> r.path()),
                row(
                        RuntimeHandlerOptions.RUNTIME_TYPE,
                        "'vm'",
                        false,
                        c -> c.runtime().runtimes().containsKey(NAME)),
                runtime(
                        RuntimeHandlerOptions.RUNTIME_ROOT,
                        "'/d/root'",
                        Path.of("/d/root"),
                        r -> r.root()),
                runtime(
                        RuntimeHandlerOptions.RUNTIME_CONFIG_PATH,
                        "'/d/conf'",
                        path("/d/conf"),
                        r -> r.configurationPath()),
                runtime(
                        RuntimeHandlerOptions.INHERIT_DEFAULT_RUNTIME,
                        "true",
                        "runc",
                        r -> r.program()),
                runtime(
                        RuntimeHandlerOptions.PRIVILEGED_WITHOUT_HOST_DEVICES,
                        "true",
                        true,
                        r -> r.privilegedWithoutHostDevices()),
                runtime(
                        RuntimeHandlerOptions.ALLOWED_ANNOTATIONS,
                        "['umask.crio.io']",
                        List.of("umask.crio.io"),
                        r -> r.allowedAnnotations()),
                runtime(
                        RuntimeHandlerOptions.DEFAULT_ANNOTATIONS,
                        "{ 'umask.crio.io' = '022' }",
                        Map.of("umask.crio.io", "022"),
                        r -> r.defaultAnnotations()),
                runtime(
                        RuntimeHandlerOptions.MONITOR_PATH,
                        "'/d/conmon'",
                        path("/d/conmon"),
                        r -> r.monitorPath()),
                runtime(
                        RuntimeHandlerOptions.MONITOR_CGROUP,
                        "'crema.slice'",
                        "crema.slice",
                        r -> r.monitorCgroup()),
                runtime(
                        RuntimeHandlerOptions.MONITOR_ENV,
                        "['PATH=/bin', 'A=b']",
                        List.of("PATH=/bin", "A=b"),
                        r -> r.monitorEnvironment()),
                runtime(
                        RuntimeHandlerOptions.MONITOR_EXEC_CGROUP,
                        "'container'",
                        "container",
                        r -> r.monitorExecCgroup()),
                row(RuntimeHandlerOptions.PLATFORM_RUNTIME_PATHS, "{ 'linux/arm64' = '/d/x' }"),
                row(RuntimeHandlerOptions.RUNTIME_PULL_IMAGE, "true"),
                runtime(
                        RuntimeHandlerOptions.CONTAINER_MIN_MEMORY,
                        "'500 KiB'",
                        512_000L,
                        r -> r.minimumMemoryBytes()),
                runtime(RuntimeHandlerOptions.NO_SYNC_LOG, "true", true, r -> r.noSyncLog()),
                row(RuntimeHandlerOptions.STREAM_WEBSOCKETS, "true"),
                row(RuntimeHandlerOptions.EXEC_CPU_AFFINITY, "'first'"),
                runtime(
                        RuntimeHandlerOptions.HANDLER_SECCOMP_PROFILE,
                        "'/d/seccomp'",
                        path("/d/seccomp"),
                        r -> r.seccompProfile()),
                runtime(
                        RuntimeHandlerOptions.CONTAINER_CREATE_TIMEOUT,
                        "30",
                        Duration.ofSeconds(30),
                        r -> r.createTimeout()),
                workload(
                        WorkloadOptions.ACTIVATION_ANNOTATION,
                        "'target.io/pin'",
                        "target.io/pin",
                        w -> w.activationAnnotation()),
                workload(
                        WorkloadOptions.ANNOTATION_PREFIX,
                        "'target.io'",
                        "target.io",
                        w -> w.annotationPrefix()),
                workload(
                        WorkloadOptions.ALLOWED_ANNOTATIONS,
                        "['umask.crio.io']",
                        List.of("umask.crio.io"),
                        w -> w.allowedAnnotations()),
                workload(
                        WorkloadOptions.RESOURCES,
                        "{ cpushares = 1024, cpuset = '0-1' }",
                        Map.of("cpushares", "1024", "cpuset", "0-1"),
                        w -> w.resources()));
    }

    private static List<Row> images() {
        return List.of(
                row(ImageOptions.DEFAULT_TRANSPORT, "'oci:'"),
                row(
                        ImageOptions.GLOBAL_AUTH_FILE,
                        "'/d/auth.json'",
                        path("/d/auth.json"),
                        c -> c.image().globalAuthFile()),
                row(
                        ImageOptions.NAMESPACED_AUTH_DIR,
                        "'/d/auth'",
                        Path.of("/d/auth"),
                        c -> c.image().namespacedAuthDirectory()),
                row(
                        ImageOptions.PAUSE_IMAGE,
                        "'localhost/pause:1'",
                        "localhost/pause:1",
                        c -> c.image().pauseImage()),
                row(
                        ImageOptions.PAUSE_IMAGE_AUTH_FILE,
                        "'/d/pause.json'",
                        path("/d/pause.json"),
                        c -> c.image().pauseImageAuthFile()),
                row(
                        ImageOptions.PAUSE_COMMAND,
                        "'/bin/pause'",
                        "/bin/pause",
                        c -> c.image().pauseCommand()),
                row(
                        ImageOptions.PINNED_IMAGES,
                        "['localhost/*']",
                        List.of("localhost/*"),
                        c -> c.image().pinnedImages()),
                row(
                        ImageOptions.SIGNATURE_POLICY,
                        "'/d/policy.json'",
                        path("/d/policy.json"),
                        c -> c.image().signaturePolicy()),
                row(
                        ImageOptions.SIGNATURE_POLICY_DIR,
                        "'/d/policies'",
                        Path.of("/d/policies"),
                        c -> c.image().signaturePolicyDirectory()),
                row(
                        ImageOptions.IMAGE_VOLUMES,
                        "'bind'",
                        ImageVolumes.BIND,
                        c -> c.image().imageVolumes()),
                row(ImageOptions.INSECURE_REGISTRIES, "['localhost:5000']"),
                row(ImageOptions.BIG_FILES_TEMPORARY_DIR, "'/d/tmp'"),
                row(
                        ImageOptions.SEPARATE_PULL_CGROUP,
                        "'pod'",
                        "pod",
                        c -> c.image().separatePullCgroup()),
                row(
                        ImageOptions.AUTO_RELOAD_REGISTRIES,
                        "true",
                        true,
                        c -> c.image().autoReloadRegistries()),
                row(
                        ImageOptions.PULL_PROGRESS_TIMEOUT,
                        "'0s'",
                        Duration.ZERO,
                        c -> c.image().pullProgressTimeout()),
                row(
                        ImageOptions.OCI_ARTIFACT_MOUNT_SUPPORT,
                        "false",
                        false,
                        c -> c.image().artifactMounts()),
                row(
                        ImageOptions.SHORT_NAME_MODE,
                        "'disabled'",
                        ShortNameMode.DISABLED,
                        c -> c.image().shortNameMode()),
                row(
                        ImageOptions.DECRYPTION_KEYS_PATH,
                        "'/d/keys'",
                        Path.of("/d/keys"),
                        c -> c.image().decryptionKeysDirectory()),
                row(
                        ImageOptions.ADDITIONAL_ARTIFACT_STORES,
                        "['/d/store']",
                        List.of(Path.of("/d/store")),
                        c -> c.image().additionalArtifactStores()),
                row(
                        ImageOptions.REGISTRIES_CONF,
                        "'/d/registries.conf'",
                        Path.of("/d/registries.conf"),
                        c -> c.image().registriesFile()),
                row(
                        ImageOptions.REGISTRIES_CONF_DIR,
                        "'/d/registries.conf.d'",
                        Path.of("/d/registries.conf.d"),
                        c -> c.image().registriesDirectory()),
                row(
                        ImageOptions.CERTS_DIRS,
                        "['/d/certs.d']",
                        List.of(Path.of("/d/certs.d")),
                        c -> c.image().certificateDirectories()),
                row(
                        ImageOptions.REGISTRIES_D,
                        "'/d/registries.d'",
                        Path.of("/d/registries.d"),
                        c -> c.image().signatureLocationsDirectory()),
                row(ImageOptions.MAX_PARALLEL_LAYERS, "2", 2, c -> c.image().maxParallelLayers()),
                row(
                        ImageOptions.MAX_LAYER_SIZE,
                        "'1GiB'",
                        1L << 30,
                        c -> c.image().maxLayerBytes()),
                row(
                        ImageOptions.MAX_LAYER_ENTRIES,
                        "1000",
                        1000L,
                        c -> c.image().maxLayerEntries()),
                row(ImageOptions.REMOVE_UNTAGS, "true", true, c -> c.image().removeUntags()));
    }

    private static List<Row> network() {
        return List.of(
                row(
                        NetworkOptions.CNI_DEFAULT_NETWORK,
                        "'pods'",
                        Optional.of("pods"),
                        c -> c.network().defaultNetwork()),
                row(
                        NetworkOptions.NETWORK_DIR,
                        "'/d/net.d/'",
                        Path.of("/d/net.d"),
                        c -> c.network().configurationDirectory()),
                row(
                        NetworkOptions.PLUGIN_DIRS,
                        "['/d/cni']",
                        List.of(Path.of("/d/cni")),
                        c -> c.network().pluginDirectories()),
                row(
                        NetworkOptions.PLUGIN_DIR,
                        "'/d/cni'",
                        List.of(
                                Path.of("/d/cni"),
                                Path.of("/opt/cni/bin"),
                                Path.of("/usr/lib/cni")),
                        c -> c.network().pluginDirectories()),
                row(
                        NetworkOptions.CNI_STATUS_GRACE_PERIOD,
                        "'1m'",
                        Duration.ofMinutes(1),
                        c -> c.network().statusGracePeriod()),
                row(
                        NetworkOptions.OPERATION_TIMEOUT,
                        "'15s'",
                        Duration.ofSeconds(15),
                        c -> c.network().operationTimeout()),
                row(
                        NetworkOptions.CACHE_DIR,
                        "'/var/lib/cni'",
                        Path.of("/var/lib/cni"),
                        c -> c.network().cacheDirectory()));
    }

    private static List<Row> observation() {
        return List.of(
                row(ObservationOptions.ENABLE_METRICS, "true", true, c -> c.metrics().enabled()),
                row(
                        ObservationOptions.METRICS_COLLECTORS,
                        "['container_runtime_crio_operations_total', 'crio_processes_defunct',"
                                + " 'default_runtime']",
                        List.of("operations_total", "processes_defunct", "default_runtime"),
                        c -> c.metrics().collectors()),
                row(ObservationOptions.METRICS_HOST, "'::1'", "::1", c -> c.metrics().host()),
                row(ObservationOptions.METRICS_PORT, "9091", 9091, c -> c.metrics().port()),
                row(
                        ObservationOptions.METRICS_SOCKET,
                        "'/d/metrics'",
                        path("/d/metrics"),
                        c -> c.metrics().socket()),
                row(
                        ObservationOptions.METRICS_CERT,
                        "'/d/cert'",
                        path("/d/cert"),
                        c -> c.metrics().certificate()),
                row(
                        ObservationOptions.METRICS_KEY,
                        "'/d/key'",
                        path("/d/key"),
                        c -> c.metrics().key()),
                row(ObservationOptions.ENABLE_TRACING, "true", true, c -> c.tracing().enabled()),
                row(
                        ObservationOptions.TRACING_ENDPOINT,
                        "'[::1]:4317'",
                        "[::1]:4317",
                        c -> c.tracing().endpoint()),
                row(
                        ObservationOptions.TRACING_SAMPLING_RATE_PER_MILLION,
                        "1000000",
                        1_000_000,
                        c -> c.tracing().samplingRatePerMillion()),
                row(
                        ObservationOptions.STATS_COLLECTION_PERIOD,
                        "10",
                        Duration.ofSeconds(10),
                        c -> c.stats().collectionPeriod()),
                row(
                        ObservationOptions.COLLECTION_PERIOD,
                        "15",
                        Duration.ofSeconds(15),
                        c -> c.stats().collectionPeriod()),
                row(
                        ObservationOptions.INCLUDED_POD_METRICS,
                        "['cpu', 'memory']",
                        List.of("cpu", "memory"),
                        c -> c.stats().includedPodMetrics()));
    }

    private static List<Row> nri() {
        return List.of(
                row(NriOptions.ENABLE_NRI, "false", false, c -> c.nri().enabled()),
                row(
                        NriOptions.NRI_LISTEN,
                        "'/d/nri.sock'",
                        Path.of("/d/nri.sock"),
                        c -> c.nri().listen()),
                row(
                        NriOptions.NRI_PLUGIN_DIR,
                        "'/d/nri'",
                        Path.of("/d/nri"),
                        c -> c.nri().pluginDirectory()),
                row(
                        NriOptions.NRI_PLUGIN_CONFIG_DIR,
                        "'/d/nri.d'",
                        Path.of("/d/nri.d"),
                        c -> c.nri().pluginConfigurationDirectory()),
                row(
                        NriOptions.NRI_DISABLE_CONNECTIONS,
                        "true",
                        true,
                        c -> c.nri().connectionsDisabled()),
                row(
                        NriOptions.NRI_PLUGIN_REGISTRATION_TIMEOUT,
                        "'1s'",
                        Duration.ofSeconds(1),
                        c -> c.nri().pluginRegistrationTimeout()),
                row(
                        NriOptions.NRI_PLUGIN_REQUEST_TIMEOUT,
                        "'500ms'",
                        Duration.ofMillis(500),
                        c -> c.nri().pluginRequestTimeout()),
                row(
                        NriOptions.ENABLE_DEFAULT_VALIDATOR,
                        "true",
                        true,
                        c -> c.nri().validator().enabled()),
                row(
                        NriOptions.REJECT_OCI_HOOK,
                        "true",
                        true,
                        c -> c.nri().validator().rejectOciHooks()),
                row(
                        NriOptions.REJECT_RUNTIME_DEFAULT_SECCOMP,
                        "true",
                        true,
                        c -> c.nri().validator().rejectRuntimeDefaultSeccomp()),
                row(
                        NriOptions.REJECT_UNCONFINED_SECCOMP,
                        "true",
                        true,
                        c -> c.nri().validator().rejectUnconfinedSeccomp()),
                row(
                        NriOptions.REJECT_CUSTOM_SECCOMP,
                        "true",
                        true,
                        c -> c.nri().validator().rejectCustomSeccomp()),
                row(
                        NriOptions.REJECT_NAMESPACE,
                        "true",
                        true,
                        c -> c.nri().validator().rejectNamespaces()),
                row(
                        NriOptions.REQUIRED_PLUGINS,
                        "['guard']",
                        List.of("guard"),
                        c -> c.nri().validator().requiredPlugins()),
                row(
                        NriOptions.TOLERATE_MISSING_PLUGINS_ANNOTATION,
                        "'a'",
                        "a",
                        c -> c.nri().validator().tolerateMissingPluginsAnnotation()));
    }

    @Test
    void everyOptionHasARow() {
        Set<Option<?>> mentioned = new HashSet<>();
        for (Row row : rows()) {
            assertThat(mentioned.add(row.option())).as("a second row for %s", row).isTrue();
        }
        assertThat(Options.all())
                .as("options without a row in this test: give each one a value and its effect")
                .allSatisfy(option -> assertThat(mentioned).contains(option));
    }

    static Stream<Row> accepted() {
        return rows().stream().filter(row -> row.option().support() != Support.REFUSED);
    }

    static Stream<Row> refused() {
        return rows().stream().filter(row -> row.option().support() == Support.REFUSED);
    }

    @ParameterizedTest
    @MethodSource("accepted")
    void aValueInAFileHasItsEffect(Row row) {
        LoadedConfiguration loaded = LOADER.parse(row.file());
        assertEffect(row, loaded);
        assertWarning(row, loaded.warnings());
    }

    private static void assertEffect(Row row, LoadedConfiguration loaded) {
        row.accessor()
                .ifPresent(accessor ->
                        assertThat(accessor.apply(loaded.configuration()))
                                .isEqualTo(row.expected()));
    }

    private static void assertWarning(Row row, List<String> warnings) {
        String path = row.option().path().replace("*", NAME) + " = ";
        switch (row.option().support()) {
            case HONOURED ->
                    assertThat(warnings).noneSatisfy(line -> assertThat(line).contains(path));
            case NOT_YET, NO_EFFECT ->
                    assertThat(warnings)
                            .anySatisfy(line ->
                                    assertThat(line)
                                            .contains(path)
                                            .contains("has no effect")
                                            .contains(row.option().note()));
            case DEPRECATED ->
                    assertThat(warnings)
                            .anySatisfy(line ->
                                    assertThat(line)
                                            .contains(path)
                                            .contains("deprecated")
                                            .contains(row.option().note()));
            case REFUSED -> throw new AssertionError("refused values do not come here");
        }
    }

    @ParameterizedTest
    @MethodSource("refused")
    void anUnsafeValueIsRefused(Row row) {
        assertThatThrownBy(() -> LOADER.parse(row.file()))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("configuration:2: " + row.option().path())
                .hasMessageContaining(row.option().note());
    }

    /** Guards against rows that would pass with the option left out. */
    @ParameterizedTest
    @MethodSource("rows")
    void noRowHoldsTheDefault(Row row) throws TomlException {
        Settings settings = new Settings(new HostFacts(true));
        assertThat(row.option().type().fromToml(value(row)))
                .isNotEqualTo(row.option().fallback(settings.runtime(NAME)));
        boolean isTableOfItsOwn = row.option().table().name().endsWith("*");
        if (row.accessor().isPresent() && !isTableOfItsOwn) {
            assertThat(row.accessor().get().apply(LOADER.defaults().configuration()))
                    .isNotEqualTo(row.expected());
        }
    }

    private static TomlValue value(Row row) throws TomlException {
        return Objects.requireNonNull(TomlReader.read(row.line()).value(row.option().key()));
    }

    @ParameterizedTest
    @MethodSource("accepted")
    void thePrintedFileReadsBackTheSame(Row row) {
        LoadedConfiguration loaded = LOADER.parse(row.file());
        LoadedConfiguration again = LOADER.parse(loaded.toToml());
        assertThat(again.configuration()).isEqualTo(loaded.configuration());
        assertThat(again.toToml()).isEqualTo(loaded.toToml());
    }

    static Stream<Row> withFlags() {
        return accepted()
                .filter(row -> !row.option().flags().isEmpty())
                .filter(row -> !row.option().equals(RuntimeOptions.DEFAULT_RUNTIME))
                // Needs two more; see the next test.
                .filter(row -> !row.option().equals(ApiOptions.STREAM_ENABLE_TLS));
    }

    @Test
    void tlsIsTurnedOnByFlagsAndVariablesTogetherWithItsFiles() {
        String[] files = {"-c", "", "-d", "", "--stream-tls-cert", "/c", "--stream-tls-key", "/k"};
        List<String> flags = new ArrayList<>(List.of(files));
        flags.add("--stream-enable-tls");
        assertThat(LOADER.load(flags, Map.of()).configuration().api().streamTlsEnabled()).isTrue();
        assertThat(
                        LOADER.load(List.of(files), Map.of("CONTAINER_ENABLE_TLS", "true"))
                                .configuration()
                                .api()
                                .streamTlsEnabled())
                .isTrue();
        assertThatThrownBy(() ->
                        LOADER.load(List.of("-c", "", "-d", "", "--stream-enable-tls"), Map.of()))
                .hasMessageContaining("needs both stream_tls_cert and stream_tls_key");
    }

    @ParameterizedTest
    @MethodSource("withFlags")
    void aFlagHasTheSameEffect(Row row) throws TomlException {
        for (String flag : row.option().flags()) {
            assertThat(flag).startsWith("-");
            List<String> arguments = new ArrayList<>(List.of("--config", "", "--config-dir="));
            String text = text(value(row));
            if (row.option().type().isSwitch()) {
                arguments.add(text.equals("true") ? flag : flag + "=false");
            } else {
                arguments.addAll(List.of(flag, text));
            }
            assertEffect(row, LOADER.load(arguments, Map.of()));
        }
    }

    @ParameterizedTest
    @MethodSource("withFlags")
    void anEnvironmentVariableHasTheSameEffect(Row row) throws TomlException {
        List<String> arguments = List.of("-c", "", "-d", "");
        assertEffect(
                row,
                LOADER.load(
                        arguments, Map.of(row.option().environmentVariable(), text(value(row)))));
    }

    private static String text(TomlValue value) {
        return switch (value) {
            case TomlValue.Text text -> text.value();
            case TomlValue.Whole whole -> Long.toString(whole.value());
            case TomlValue.Truth truth -> Boolean.toString(truth.value());
            case TomlValue.Array array ->
                    String.join(",", array.values().stream().map(OptionsTest::text).toList());
            case TomlValue.Decimal _, TomlValue.Time _, TomlValue.Table _ ->
                    throw new AssertionError("no flag takes " + value.describe());
        };
    }

    @Test
    void flagsAndVariablesAreUnique() {
        List<CommandLineFlag> flags = CommandLine.flags();
        assertThat(flags.stream().flatMap(flag -> flag.names().stream())).doesNotHaveDuplicates();
        assertThat(flags.stream().map(CommandLineFlag::environmentVariable))
                .doesNotHaveDuplicates()
                .allSatisfy(variable -> assertThat(variable).matches("[A-Z_]+"));
    }

    @Test
    void everyOptionIsDocumentedByOneSentence() {
        assertThat(Options.all())
                .allSatisfy(option -> {
                    assertThat(option.documentation()).endsWith(".");
                    if (option.support() != Support.HONOURED) {
                        assertThat(option.note()).isNotEmpty().doesNotEndWith(".");
                    }
                });
    }

    @Test
    void derivedDefaultsAgreeWithTheirPlainForm() {
        Settings settings = new Settings(new HostFacts(true));
        for (OptionTable table : Options.tables()) {
            Settings scope = table.name().endsWith(".*") ? settings.runtime("runc") : settings;
            for (Option<?> option : table.options()) {
                assertThat((Object) option.fallback(scope)).isEqualTo(option.fallback());
            }
        }
    }
}
