package io.crema.server;

import io.crema.base.ErrorKind;
import io.crema.cni.CniPodNetworks;
import io.crema.cni.CniSettings;
import io.crema.conf.CremaConfiguration;
import io.crema.conf.LoadedConfiguration;
import io.crema.conf.RuntimeHandlerConfiguration;
import io.crema.conf.SignaturePolicy;
import io.crema.image.Image;
import io.crema.image.Images;
import io.crema.image.registry.HttpRegistryClient;
import io.crema.image.store.ImageStore;
import io.crema.image.store.StoreOptions;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.monitor.ConmonMonitor;
import io.crema.oci.monitor.ConmonSettings;
import io.crema.oci.process.Commands;
import io.crema.oci.process.PollLoop;
import io.crema.oci.process.SpawnedCommands;
import io.crema.oci.runtime.CommandLineRuntime;
import io.crema.oci.runtime.OciRuntime;
import io.crema.runtime.NodePodRuntime;
import io.crema.runtime.NodeServices;
import io.crema.runtime.RuntimeHandlers;
import io.crema.runtime.RuntimeSettings;
import io.crema.runtime.cgroup.CgroupPlacement;
import io.crema.runtime.cgroup.Cgroups;
import io.crema.runtime.spec.AppArmorProfiles;
import io.crema.runtime.spec.ContainerSpecBuilder;
import io.crema.runtime.spec.NodeFacts;
import io.crema.runtime.spec.NodeProbe;
import io.crema.runtime.spec.SandboxInitSpec;
import io.crema.runtime.spec.SpecSettings;
import io.crema.runtime.state.Layout;
import io.crema.server.base.CremaVersion;
import io.crema.server.base.ServerException;
import io.crema.server.grpc.CriServer;
import io.crema.server.grpc.ImageServiceCalls;
import io.crema.server.grpc.RuntimeServiceCalls;
import io.crema.server.http.HttpAnswer;
import io.crema.server.http.HttpRoutes;
import io.crema.server.image.ImageFsInfo;
import io.crema.server.image.ImageStatus;
import io.crema.server.image.ListImages;
import io.crema.server.image.PullImage;
import io.crema.server.image.RemoveImage;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
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

    private final CremaConfiguration configuration;
    private final List<AutoCloseable> parts = new ArrayList<>();
    private @Nullable CriServer server;

    /**
     * Takes over what an earlier daemon left and begins to serve.
     *
     * @throws io.crema.base.CremaException when this node or the configuration does not allow it
     */
    static Daemon start(LoadedConfiguration loaded) {
        Daemon daemon = new Daemon(loaded.configuration());
        try {
            daemon.wire(loaded);
            return daemon;
        } catch (RuntimeException | IOException e) {
            daemon.close();
            throw e instanceof RuntimeException known
                    ? known
                    : new ServerException(
                            ErrorKind.INTERNAL, "cannot prepare the directories: " + e, e);
        }
    }

    private Daemon(CremaConfiguration configuration) {
        this.configuration = configuration;
    }

    private void wire(LoadedConfiguration loaded) throws IOException {
        // What the policy refuses to promise must stop the start, not the first pull.
        SignaturePolicy policy = SignaturePolicy.read(configuration.image());
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
        NodePodRuntime runtime = part(runtime(linux, loop, commands, networks, images, layout));
        // Asked once here, so that the first Status need not wait for it.
        Thread.ofVirtual().name("features").start(runtime::probeHandlers);
        HttpRoutes routes = routes(loaded, images, policy);
        CriServer socket =
                new CriServer(
                        configuration.api().listen(),
                        configuration.api().maxReceiveMessageBytes(),
                        configuration.api().maxSendMessageBytes(),
                        List.of(
                                new RuntimeServiceCalls(runtime),
                                imageCalls(new PolicedImages(images, policy), layout)),
                        routes,
                        (method, code, duration) -> {});
        server = socket;
        socket.start();
    }

    private <T extends AutoCloseable> T part(T part) {
        parts.add(part);
        return part;
    }

    private Images images(Linux linux, Commands commands) {
        Path root = configuration.storage().root();
        List<String> pinned = new ArrayList<>(configuration.image().pinnedImages());
        pinned.add(configuration.image().pauseImage());
        return new ImageStore(
                StoreOptions.at(root, pinned),
                linux,
                HttpRegistryClient.create(
                        configuration.image(),
                        System.getenv(),
                        Optional.of(commands),
                        ImageStore.manifests(root)));
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
                        Clock.systemUTC());
        ContainerSpecBuilder builder =
                new ContainerSpecBuilder(linux, facts, specs, new AppArmorProfiles(Path.of("/")));
        // A first pod should not pay for what can be made ready before.
        Thread.ofVirtual().name("warm-up").start(builder::warmUp);
        return NodePodRuntime.recover(node, builder, new SandboxInitSpec(linux, facts, specs));
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
                new PullImage(images),
                new RemoveImage(images),
                new ImageFsInfo(images, layout.containers(), Clock.systemUTC()));
    }

    /** What crema's own commands ask over the same socket. */
    private HttpRoutes routes(LoadedConfiguration loaded, Images images, SignaturePolicy policy) {
        HttpRoutes routes = new HttpRoutes();
        routes.add(
                "GET",
                "/config",
                question ->
                        new HttpAnswer(
                                200,
                                "application/toml",
                                loaded.toToml().getBytes(StandardCharsets.UTF_8)));
        routes.add(
                "GET",
                "/info",
                question ->
                        HttpAnswer.json(
                                ServerJson.write(
                                        Map.of(
                                                "storage_driver",
                                                "overlay",
                                                "storage_root",
                                                configuration.storage().root().toString(),
                                                "storage_image",
                                                configuration.storage().root().toString(),
                                                "cgroup_driver",
                                                configuration.runtime().cgroupManager().toString(),
                                                "version",
                                                CremaVersion.VERSION))));
        routes.add(
                "POST",
                "/load",
                question -> {
                    Optional<String> path = question.parameter("path");
                    if (path.isEmpty()) {
                        return HttpAnswer.text(
                                400, "name the archive: /load?path=/some/archive.tar\n");
                    }
                    return load(images, policy, Path.of(path.get()));
                });
        return routes;
    }

    private static HttpAnswer load(Images images, SignaturePolicy policy, Path archive) {
        if (policy.ofFile("oci-archive") == SignaturePolicy.Decision.REJECT) {
            return HttpAnswer.text(
                    403, "the signature policy rejects archives (transport oci-archive)\n");
        }
        StringBuilder text = new StringBuilder();
        for (Image image : images.load(archive)) {
            text.append("loaded ").append(image.id());
            for (String name : image.repoTags()) {
                text.append(' ').append(name);
            }
            text.append('\n');
        }
        return HttpAnswer.text(200, text.toString());
    }

    /** Stops serving, lets calls in flight finish for a while, and lets go of everything. */
    @Override
    public void close() {
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
