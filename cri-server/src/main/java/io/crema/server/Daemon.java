package io.crema.server;

import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.cni.CniPodNetworks;
import io.crema.cni.CniSettings;
import io.crema.conf.CremaConfiguration;
import io.crema.conf.LoadedConfiguration;
import io.crema.conf.RuntimeHandlerConfiguration;
import io.crema.conf.SignaturePolicy;
import io.crema.image.Images;
import io.crema.image.registry.HttpRegistryClient;
import io.crema.image.registry.NamespacedLogins;
import io.crema.image.registry.RegistriesWatch;
import io.crema.image.store.ImageStore;
import io.crema.image.store.StoreOptions;
import io.crema.image.trust.ImageTrust;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.monitor.ConmonMonitor;
import io.crema.oci.monitor.ConmonSettings;
import io.crema.oci.process.Commands;
import io.crema.oci.process.PollLoop;
import io.crema.oci.process.SpawnedCommands;
import io.crema.oci.runtime.CommandLineRuntime;
import io.crema.oci.runtime.Criu;
import io.crema.oci.runtime.OciRuntime;
import io.crema.oci.userns.UserNamespaces;
import io.crema.runtime.NodePodRuntime;
import io.crema.runtime.NodeServices;
import io.crema.runtime.RuntimeHandlers;
import io.crema.runtime.RuntimeSettings;
import io.crema.runtime.cgroup.CgroupPlacement;
import io.crema.runtime.cgroup.Cgroups;
import io.crema.runtime.selinux.SelinuxLabels;
import io.crema.runtime.spec.AppArmorParser;
import io.crema.runtime.spec.AppArmorProfiles;
import io.crema.runtime.spec.ContainerSpecBuilder;
import io.crema.runtime.spec.NodeFacts;
import io.crema.runtime.spec.NodeProbe;
import io.crema.runtime.spec.SandboxInitSpec;
import io.crema.runtime.spec.SpecSettings;
import io.crema.runtime.state.Layout;
import io.crema.server.base.CremaVersion;
import io.crema.server.base.Programs;
import io.crema.server.base.ServerException;
import io.crema.server.base.ServerJson;
import io.crema.server.grpc.CriServer;
import io.crema.server.grpc.ImageServiceCalls;
import io.crema.server.grpc.RuntimeServiceCalls;
import io.crema.server.image.ImageFsInfo;
import io.crema.server.image.ImageStatus;
import io.crema.server.image.ListImages;
import io.crema.server.image.PauseImageLogin;
import io.crema.server.image.PullImage;
import io.crema.server.image.RemoveImage;
import io.crema.server.log.Logging;
import io.crema.server.metrics.MetricsServer;
import io.crema.server.streaming.StreamingServer;
import io.crema.server.streaming.StreamingSettings;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The running daemon, wired by hand: everything is made here, in the order of its dependencies, and
 * closed in reverse. It serves when {@link #start} returns.
 */
final class Daemon implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Daemon.class);

    /** How much later a node may come up for them; the rest is left to a later start. */
    private static final Duration STORE_LABELS = Duration.ofMinutes(5);

    private static final Duration REGISTRIES_INTERVAL = Duration.ofSeconds(1);

    private final CremaConfiguration configuration;
    private final List<AutoCloseable> parts = new ArrayList<>();
    private volatile LoadedConfiguration loaded;
    private ImageTrust trust = ImageTrust.ofAll();
    private @Nullable HttpRegistryClient registry;
    private @Nullable ImageStore store;
    private @Nullable CriServer server;
    private @Nullable NodePodRuntime runtime;

    /**
     * Takes over what an earlier daemon left and begins to serve.
     *
     * @throws io.crema.base.CremaException when this node or the configuration does not allow it
     */
    static Daemon start(LoadedConfiguration loaded) {
        Daemon daemon = new Daemon(loaded);
        try {
            daemon.wire();
            return daemon;
        } catch (RuntimeException | IOException e) {
            daemon.close();
            throw e instanceof RuntimeException known
                    ? known
                    : new ServerException(
                            ErrorKind.INTERNAL, "cannot prepare the directories: " + e, e);
        }
    }

    private Daemon(LoadedConfiguration loaded) {
        this.loaded = loaded;
        this.configuration = loaded.configuration();
    }

    private void wire() throws IOException {
        // What the policy refuses to promise must stop the start, not the first pull.
        trust =
                new ImageTrust(
                        SignaturePolicy.read(configuration.image()),
                        namespace ->
                                SignaturePolicy.ofNamespace(
                                        loaded.configuration().image(), namespace));
        Layout layout =
                new Layout(
                        configuration.storage().root(),
                        configuration.storage().runRoot(),
                        configuration.runtime().namespacesDirectory(),
                        configuration.storage().versionFile());
        Files.createDirectories(layout.root());
        Files.createDirectories(layout.volatileRoot());
        Files.createDirectories(configuration.runtime().exitsDirectory());
        Linux linux = JnaLinux.load();
        parts.add(StoreLock.take(linux, layout.root()));
        PollLoop loop = part(PollLoop.start(linux));
        Commands commands = new SpawnedCommands(linux, loop);
        Images images = part(images(linux, commands));
        CniPodNetworks networks =
                part(
                        new CniPodNetworks(
                                CniSettings.of(configuration.network(), layout.root().toString()),
                                commands,
                                Clock.systemUTC()));
        NodePodRuntime pods = part(runtime(linux, loop, commands, networks, images, layout));
        runtime = pods;
        pods.startPlugins(CremaVersion.RUNTIME_NAME, CremaVersion.VERSION);
        // Asked once here, so that the first Status need not wait for it.
        Thread.ofVirtual().name("features").start(pods::probeHandlers);
        StreamingServer streams =
                part(
                        new StreamingServer(
                                StreamingSettings.of(configuration.api()), pods.streaming()));
        streams.start();
        Optional<MetricsServer> metrics = metrics(images, pods);
        Endpoints endpoints = new Endpoints(() -> loaded, pods, images, Clock.systemUTC());
        CriServer socket =
                new CriServer(
                        configuration.api().listen(),
                        configuration.api().maxReceiveMessageBytes(),
                        configuration.api().maxSendMessageBytes(),
                        List.of(new RuntimeServiceCalls(pods, streams), imageCalls(images, layout)),
                        endpoints.routes(),
                        metrics.map(MetricsServer::observer)
                                .orElse((method, code, duration) -> {}));
        server = socket;
        socket.start();
    }

    private Optional<MetricsServer> metrics(Images images, NodePodRuntime pods) {
        if (!configuration.metrics().enabled()) {
            return Optional.empty();
        }
        MetricsServer metrics =
                part(new MetricsServer(configuration.metrics(), configuration.api()));
        metrics.start(images, pods.counters(), configuration.runtime().defaultRuntime());
        return Optional.of(metrics);
    }

    private <T extends AutoCloseable> T part(T part) {
        parts.add(part);
        return part;
    }

    private Images images(Linux linux, Commands commands) {
        Path root = imageRoot(configuration);
        HttpRegistryClient client =
                HttpRegistryClient.create(
                        configuration.image(),
                        System.getenv(),
                        Optional.of(commands),
                        ImageStore.manifests(root));
        registry = client;
        if (configuration.image().autoReloadRegistries()) {
            var _ =
                    part(
                            new RegistriesWatch(
                                    configuration.image().registriesFile(),
                                    configuration.image().registriesDirectory(),
                                    REGISTRIES_INTERVAL,
                                    this::reloadRegistries));
        }
        ImageStore opened = new ImageStore(storeOptions(configuration, trust), linux, client);
        store = opened;
        return opened;
    }

    private NodePodRuntime runtime(
            Linux linux,
            PollLoop loop,
            Commands commands,
            CniPodNetworks networks,
            Images images,
            Layout layout) {
        NodeFacts facts = new NodeProbe(Path.of("/")).detect(linux.lowestOomScoreAdjustment());
        SpecSettings specs = SpecSettings.of(configuration, List.of(layout.volatileRoot()));
        SelinuxLabels selinux =
                SelinuxLabels.of(Path.of("/"), layout, configuration.security(), facts.selinux());
        NodeServices node =
                new NodeServices(
                        linux,
                        loop,
                        networks,
                        monitor(linux, loop, commands),
                        handlers(linux, commands),
                        images,
                        new Cgroups(facts.cgroups(), linux),
                        new CgroupPlacement(configuration.runtime().cgroupManager()),
                        facts,
                        layout,
                        new RuntimeSettings(configuration),
                        Clock.systemUTC(),
                        new UserNamespaces(linux, loop, commands),
                        new Criu(commands),
                        selinux,
                        commands);
        AppArmorProfiles profiles =
                new AppArmorProfiles(
                        Path.of("/"),
                        new AppArmorParser(commands, () -> Programs.find("apparmor_parser")));
        ContainerSpecBuilder builder =
                new ContainerSpecBuilder(linux, facts, specs, profiles, Optional.of(selinux));
        // A first pod should not pay for what can be made ready before.
        Thread.ofVirtual().name("warm-up").start(builder::warmUp);
        NodePodRuntime recovered =
                NodePodRuntime.recover(
                        node,
                        builder,
                        new SandboxInitSpec(linux, facts, specs, profiles, Optional.of(selinux)));
        Path imageRoot = imageRoot(configuration);
        selinux.labelStore(
                linux,
                List.of(
                        imageRoot.resolve("layers"),
                        imageRoot.resolve("ingest"),
                        layout.containers()),
                Deadline.after(STORE_LABELS));
        return recovered;
    }

    private ConmonMonitor monitor(Linux linux, PollLoop loop, Commands commands) {
        RuntimeHandlerConfiguration handler =
                configuration.runtime().runtimes().get(configuration.runtime().defaultRuntime());
        Optional<Path> configured = handler == null ? Optional.empty() : handler.monitorPath();
        Path conmon =
                configured
                        .or(() -> Programs.find("conmon"))
                        .orElseThrow(() ->
                                new ServerException(
                                        ErrorKind.FAILED_PRECONDITION,
                                        "conmon is not in PATH; install the package conmon (2.1 or"
                                                + " later) or set monitor_path"));
        return new ConmonMonitor(
                new ConmonSettings(conmon, configuration.runtime().exitsDirectory(), false),
                commands,
                linux,
                loop);
    }

    /** Those whose binary is there; the default one must be. */
    private RuntimeHandlers handlers(Linux linux, Commands commands) {
        String defaultName = configuration.runtime().defaultRuntime();
        Map<String, OciRuntime> runtimes = new TreeMap<>();
        configuration
                .runtime()
                .runtimes()
                .forEach((name, handler) -> {
                    Optional<Path> binary =
                            handler.path().or(() -> Programs.find(handler.program()));
                    if (binary.isPresent() && Files.isExecutable(binary.get())) {
                        runtimes.put(
                                name,
                                new CommandLineRuntime(
                                        name, binary.get(), handler.root(), commands, linux));
                    } else if (!name.equals(defaultName)) {
                        LOG.warn(
                                "runtime handler {} is left out: {} is not there; install it or"
                                        + " correct runtime_path",
                                name,
                                binary.map(Path::toString).orElse(handler.program()));
                    }
                });
        if (!runtimes.containsKey(defaultName)) {
            throw new ServerException(
                    ErrorKind.FAILED_PRECONDITION,
                    "the default OCI runtime '"
                            + defaultName
                            + "' is not installed; install the package of that name or set"
                            + " default_runtime and runtime_path");
        }
        return new RuntimeHandlers(runtimes, defaultName);
    }

    private ImageServiceCalls imageCalls(Images images, Layout layout) {
        return new ImageServiceCalls(
                new ListImages(images),
                new ImageStatus(images, ServerJson.MAPPER),
                new PullImage(
                        images,
                        new NamespacedLogins(configuration.image().namespacedAuthDirectory()),
                        new PauseImageLogin(
                                () -> loaded.configuration().image().pauseImage(),
                                () -> loaded.configuration().image().pauseImageAuthFile())),
                new RemoveImage(images),
                new ImageFsInfo(images, layout.containers(), Clock.systemUTC()));
    }

    /** Images may lie on a disk of their own. */
    private static Path imageRoot(CremaConfiguration configuration) {
        return configuration.storage().imageStore().orElse(configuration.storage().root());
    }

    /** As the configuration says. */
    static StoreOptions storeOptions(CremaConfiguration configuration, ImageTrust trust) {
        return StoreOptions.of(
                        imageRoot(configuration), pinnedNames(configuration), configuration.image())
                .withTrust(trust);
    }

    /** The sandbox image is never for kubelet to collect. */
    static List<String> pinnedNames(CremaConfiguration configuration) {
        List<String> pinned = new ArrayList<>(configuration.image().pinnedImages());
        pinned.add(configuration.image().pauseImage());
        return pinned;
    }

    /**
     * Applies what may change while the daemon runs: the log level, registries.conf, the signature
     * policy, pinned images and the sandbox image. Tells which other changes wait for a restart.
     *
     * @param fresh the configuration read anew
     */
    synchronized void reload(LoadedConfiguration fresh) {
        LoadedConfiguration.Reloaded reloaded = loaded.reloadedFrom(fresh);
        if (registry != null) {
            registry.reconfigure(HttpRegistryClient.registries(fresh.configuration().image()));
        }
        trust.replace(SignaturePolicy.read(fresh.configuration().image()));
        Logging.level(Serve.level(reloaded.loaded()));
        loaded = reloaded.loaded();
        if (store != null) {
            store.pin(pinnedNames(loaded.configuration()));
        }
        for (String change : reloaded.changes()) {
            if (isApplied(change)) {
                LOG.info("{}", change);
            } else {
                LOG.warn("{}: takes effect at the next start", change);
            }
        }
        for (String option : reloaded.needRestart()) {
            LOG.warn("the change of {} takes effect at the next start", option);
        }
        LOG.info("Configuration reload completed");
    }

    private static boolean isApplied(String change) {
        return change.contains(".log_level ")
                || change.contains(".pinned_images ")
                || change.contains(".signature_policy ")
                || change.contains(".signature_policy_dir ")
                || change.contains(".pause_image ")
                || change.contains(".pause_image_auth_file ");
    }

    private void reloadRegistries() {
        if (registry != null) {
            registry.reconfigure(HttpRegistryClient.registries(loaded.configuration().image()));
            LOG.info("Applied new registry configuration");
        }
    }

    /** Stops serving, lets calls in flight finish for a while, and lets go of everything. */
    @Override
    public void close() {
        if (runtime != null) {
            // Streams of events would not end by themselves.
            runtime.events().close();
        }
        if (server != null) {
            server.stop(configuration.api().shutdownGracePeriod());
        }
        for (AutoCloseable part : parts.reversed()) {
            try {
                part.close();
            } catch (Exception e) {
                LOG.warn("cannot close {}: {}", part.getClass().getSimpleName(), e.toString());
            }
        }
        parts.clear();
    }
}
