package io.crema.runtime;

import io.crema.base.CleanupStack;
import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.conf.RuntimeHandlerConfiguration;
import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerStatus;
import io.crema.cri.v1.CreateContainerRequest;
import io.crema.cri.v1.CreateContainerResponse;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.NamespaceOption;
import io.crema.image.IdShift;
import io.crema.image.Image;
import io.crema.oci.linux.LinuxNamespaces.NamespaceKind;
import io.crema.oci.monitor.ContainerMonitor.Launch;
import io.crema.oci.monitor.ContainerMonitor.Monitored;
import io.crema.oci.runtime.OciRuntime;
import io.crema.oci.spec.RuntimeSpec.Hook;
import io.crema.runtime.hooks.PrecreateHooks;
import io.crema.runtime.nri.SpecAdjuster;
import io.crema.runtime.selinux.Relabelling;
import io.crema.runtime.spec.BuiltSpec;
import io.crema.runtime.spec.ContainerSpecBuilder;
import io.crema.runtime.spec.Handler;
import io.crema.runtime.spec.ImageVolume;
import io.crema.runtime.spec.SandboxFacts;
import io.crema.runtime.spec.SpecRequest;
import io.crema.runtime.spec.UserMapping;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerRecord;
import io.crema.runtime.state.ContainerState;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.Layout;
import io.crema.runtime.state.PodException;
import io.crema.runtime.state.PodSandbox;
import io.crema.runtime.state.ProcessIdentity;
import io.crema.runtime.state.Records;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes a container in a pod up to the point where its process waits for the start: record, root
 * file system, OCI spec, monitor. A repeated request joins the first or gets its result.
 */
final class CreateContainer {
    private static final Logger LOG = LoggerFactory.getLogger(CreateContainer.class);
    private static final Path HOST_SHARED_MEMORY = Path.of("/dev/shm");
    private static final Duration UNCLAIMED_REMOVAL = Duration.ofMinutes(1);

    private final NodeServices node;
    private final Inventory inventory;
    private final ContainerSpecBuilder specs;
    private final ContainerTeardown teardown;
    private final ContainerExits exits;
    private final RestoreContainer restore;
    private final PodPlugins plugins;
    private final JoinableWork<ContainerId> work;

    CreateContainer(
            NodeServices node,
            Inventory inventory,
            ContainerSpecBuilder specs,
            ContainerTeardown teardown,
            ContainerExits exits,
            RestoreContainer restore,
            PodPlugins plugins,
            RemoveContainer remove) {
        this.node = node;
        this.inventory = inventory;
        this.specs = specs;
        this.teardown = teardown;
        this.exits = exits;
        this.restore = restore;
        this.plugins = plugins;
        this.work =
                new JoinableWork<>(
                        "CreateContainer",
                        id ->
                                inventory
                                        .container(id)
                                        .filter(CreateContainer::isUnused)
                                        .ifPresent(container ->
                                                remove.remove(
                                                        container,
                                                        Deadline.after(UNCLAIMED_REMOVAL))));
    }

    /** A caller that never got the answer may have found the container in a list and started it. */
    private static boolean isUnused(Container container) {
        return container.state() instanceof ContainerState.Created;
    }

    CreateContainerResponse run(CreateContainerRequest request, Deadline deadline) {
        PodSandbox sandbox = inventory.sandbox(request.getPodSandboxId());
        check(request);
        ContainerConfig config = KubernetesLabels.complete(request.getConfig(), sandbox);
        String name =
                config.getMetadata().getName()
                        + " attempt "
                        + config.getMetadata().getAttempt()
                        + " in "
                        + sandbox;
        Duration budget = handlerConfiguration(sandbox).createTimeout();
        ContainerId id =
                work.run(
                        name,
                        request,
                        deadline,
                        steps ->
                                existing(sandbox, config)
                                        .orElseGet(() ->
                                                make(
                                                        sandbox,
                                                        config,
                                                        Deadline.after(budget),
                                                        steps)));
        return CreateContainerResponse.newBuilder().setContainerId(id.value()).build();
    }

    private static void check(CreateContainerRequest request) {
        if (!request.hasConfig()) {
            throw PodException.invalid("config is missing");
        }
        ContainerConfig config = request.getConfig();
        if (config.getMetadata().getName().isEmpty()) {
            throw PodException.invalid("config.metadata.name is empty");
        }
        if (config.getImage().getImage().isEmpty()) {
            throw PodException.invalid("config.image.image is empty");
        }
        if (!request.hasSandboxConfig()) {
            throw PodException.invalid("sandbox_config is missing");
        }
        if (Path.of(config.getLogPath()).isAbsolute()) {
            throw PodException.invalid(
                    "config.log_path must be relative to the pod's log_directory: '"
                            + config.getLogPath()
                            + "'");
        }
    }

    /** The container of the same name, which kubelet asks for again when it lost our answer. */
    private Optional<ContainerId> existing(PodSandbox sandbox, ContainerConfig config) {
        for (Container container : inventory.containersOf(sandbox.id())) {
            if (!container.config().getMetadata().equals(config.getMetadata())) {
                continue;
            }
            if (container.state() instanceof ContainerState.Created
                    && container.config().equals(config)) {
                return Optional.of(container.id());
            }
            throw new PodException(
                    ErrorKind.ALREADY_EXISTS,
                    container
                            + " has the same name and attempt in "
                            + sandbox
                            + "; remove it first (crictl rm "
                            + container.id().shortForm()
                            + ") or raise the attempt");
        }
        return Optional.empty();
    }

    private ContainerId make(
            PodSandbox sandbox,
            ContainerConfig config,
            Deadline deadline,
            JoinableWork.Steps steps) {
        requireReady(sandbox);
        node.cgroups()
                .requireMemory(
                        sandbox.record().cgroupParent(),
                        handlerConfiguration(sandbox).minimumMemoryBytes());
        ContainerId id = ContainerId.random();
        return CleanupStack.run(undo -> {
            Path directory = node.layout().container(id);
            undo.push("delete " + directory, () -> deleteUnrecorded(id));
            Optional<Checkpoint> checkpoint =
                    restore.unpack(config, sandbox, node.layout().restore(id), deadline);
            Image image =
                    checkpoint
                            .map(found -> restore.image(found, sandbox.record().namespace()))
                            .orElseGet(
                                    () -> image(config.getImage(), sandbox.record().namespace()));
            if (checkpoint.isEmpty()) {
                checkSpec(config.getImage(), image, sandbox);
            }
            return make(id, sandbox, config, image, checkpoint, deadline, steps, undo);
        });
    }

    /**
     * What is left of a failure before there is a record. With one, the rest could not be undone
     * now, and the next start needs the record to do it.
     */
    private void deleteUnrecorded(ContainerId id) {
        if (!Files.exists(node.layout().containerRecord(id))) {
            Path directory = node.layout().container(id);
            Mounts.unmountPassing(node.linux(), directory);
            Trees.deleteTree(directory);
        }
    }

    private ContainerId make(
            ContainerId id,
            PodSandbox sandbox,
            ContainerConfig config,
            Image image,
            Optional<Checkpoint> checkpoint,
            Deadline deadline,
            JoinableWork.Steps steps,
            CleanupStack undo) {
        Layout layout = node.layout();
        String logPath =
                config.getLogPath().isEmpty()
                        ? ""
                        : node.settings()
                                .logDirectory(sandbox.config(), sandbox.id())
                                .resolve(config.getLogPath())
                                .normalize()
                                .toString();
        ContainerRecord record =
                new ContainerRecord(
                        ContainerRecord.VERSION,
                        id,
                        sandbox.id(),
                        config.getMetadata().getName(),
                        config.getMetadata().getAttempt(),
                        config.toByteArray(),
                        new byte[0],
                        image.id(),
                        sandbox.record().runtimeHandler(),
                        sandbox.record().cgroupParent(),
                        logPath,
                        false,
                        null,
                        null,
                        node.nowNanos(),
                        0,
                        0,
                        0,
                        0,
                        "",
                        "");
        for (Path directory :
                Set.of(
                        layout.upper(id),
                        layout.work(id),
                        layout.persist(id),
                        layout.rootFileSystem(id))) {
            RunPodSandbox.createDirectories(directory);
        }
        Trees.link(layout.merged(id), layout.rootFileSystem(id));
        Records.write(layout.containerRecord(id), record);
        Container container = new Container(layout, record);
        // One undo for all steps: each of its own passes over what is not there.
        undo.push("undo half-made " + container, () -> teardown.undoHalfMade(container));
        undo.push(
                "tell NRI plugins that " + container + " is not made",
                () -> plugins.unmade(container));
        if (checkpoint.isPresent()) {
            prepareRestore(sandbox, container, image, checkpoint.get(), deadline, steps);
        } else {
            create(sandbox, container, image, deadline, steps);
        }
        Container whole = new Container(layout, container.record());
        publish(sandbox, whole);
        steps.enter("the NRI plugins' PostCreateContainer");
        plugins.made(whole, deadline);
        return id;
    }

    private void create(
            PodSandbox sandbox,
            Container container,
            Image image,
            Deadline deadline,
            JoinableWork.Steps steps) {
        steps.enter("the start of conmon");
        BuiltSpec spec;
        Monitored monitored;
        try (Launch launch =
                node.monitor().begin(MonitorRequests.of(node, sandbox, container), deadline)) {
            // conmon gets ready beside us.
            spec = prepare(sandbox, container, container.config(), image, deadline, steps);
            deadline.check("the root file system of " + container);
            steps.enter("the OCI runtime's create below conmon");
            monitored = launch.create(deadline);
        }
        container.update(before ->
                before.created(
                        effective(spec, container.config(), image),
                        new ProcessIdentity(monitored.pid(), monitored.pidStartTicks()),
                        new ProcessIdentity(
                                monitored.monitorPid(), monitored.monitorStartTicks())));
    }

    /** All but the processes, which the start brings. */
    private void prepareRestore(
            PodSandbox sandbox,
            Container container,
            Image image,
            Checkpoint checkpoint,
            Deadline deadline,
            JoinableWork.Steps steps) {
        steps.enter("the files of the checkpoint");
        ContainerConfig config = container.config();
        if (config.getCommandCount() == 0 && config.getArgsCount() == 0) {
            config = config.toBuilder().addAllCommand(checkpoint.command()).build();
        }
        node.images().use(image.id(), container.id().value());
        restore.applyChanges(checkpoint, image, container, deadline);
        BuiltSpec spec = prepare(sandbox, container, config, image, deadline, steps);
        restore.configureCriu(container);
        restore.copyLog(checkpoint, container, deadline);
        container.update(
                before -> before.created(effective(spec, container.config(), image), null, null));
    }

    /** The container's root file system and its bundle. */
    private BuiltSpec prepare(
            PodSandbox sandbox,
            Container container,
            ContainerConfig config,
            Image image,
            Deadline deadline,
            JoinableWork.Steps steps) {
        ContainerId id = container.id();
        OciRuntime runtime = node.handlers().named(sandbox.record().runtimeHandler());
        Layout layout = node.layout();
        steps.enter("the root file system");
        node.images().use(image.id(), id.value());
        Optional<IdShift> shift = shift(sandbox, id);
        String label =
                node.selinux()
                        .ofContainer(
                                sandbox.id(),
                                sandbox.config(),
                                config.getLinux().getSecurityContext(),
                                false)
                        .files();
        node.images()
                .mountRootFileSystem(
                        image,
                        layout.upper(id),
                        layout.work(id),
                        layout.rootFileSystem(id),
                        label,
                        shift);
        steps.enter("the image volumes");
        List<ImageVolume> volumes =
                new ImageVolumes(node)
                        .mount(id, sandbox.record().namespace(), config, shift, label);
        steps.enter("the OCI spec and the sources of its mounts");
        SpecRequest request = request(sandbox, config, image, id, runtime, volumes);
        BuiltSpec spec = adjusted(sandbox, container, request, deadline, steps);
        for (String warning : spec.warnings()) {
            LOG.warn("{} in {}: {}", container, sandbox, warning);
        }
        spec.writeTo(layout.bundle(id));
        changeByHooks(container, specs.precreateHooks(spec.spec(), request), deadline, steps);
        giveFilesToRoot(spec, sandbox);
        spec.files().forEach(file -> Relabelling.label(node.linux(), file.path(), label));
        return spec;
    }

    private void changeByHooks(
            Container container, List<Hook> hooks, Deadline deadline, JoinableWork.Steps steps) {
        if (hooks.isEmpty()) {
            return;
        }
        steps.enter("the hooks of hooks_dir that change the OCI spec (precreate)");
        Path config = node.layout().bundle(container.id()).resolve(BuiltSpec.CONFIG_FILE);
        try {
            byte[] changed =
                    new PrecreateHooks(node.commands())
                            .change(
                                    Files.readAllBytes(config),
                                    hooks,
                                    container.toString(),
                                    deadline);
            Files.write(config, changed);
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL, "cannot change " + config + " by hooks: " + e, e);
        }
    }

    /** As the request wants it, and then as plugins do. */
    private BuiltSpec adjusted(
            PodSandbox sandbox,
            Container container,
            SpecRequest request,
            Deadline deadline,
            JoinableWork.Steps steps) {
        BuiltSpec spec = specs.build(request, deadline);
        steps.enter("the NRI plugins' CreateContainer");
        return plugins.createContainer(sandbox, container, spec.spec(), deadline)
                .map(merge ->
                        new SpecAdjuster(
                                        node.linux(),
                                        node.facts(),
                                        request.handler(),
                                        specs.cdiDevices(),
                                        ContainerSpecBuilder.oomScoreFloor(
                                                node.settings()
                                                        .configuration()
                                                        .runtime()
                                                        .oomScoreAdjustment(),
                                                node.facts()))
                                .adjust(spec, merge, deadline))
                .orElse(spec);
    }

    /** The pod may have been stopped while we worked; its stop must not miss this container. */
    private void publish(PodSandbox sandbox, Container container) {
        sandbox.lock().lock();
        try {
            requireReady(sandbox);
            inventory.add(container);
        } finally {
            sandbox.lock().unlock();
        }
        if (!container.record().awaitsRestore()) {
            exits.follow(container);
        }
    }

    private static void requireReady(PodSandbox sandbox) {
        if (!sandbox.isReady()) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    sandbox
                            + " is not ready: it was stopped or lost its processes; make a new pod");
        }
    }

    /** What else a request says of the image must be true of it. */
    private void checkSpec(ImageSpec wanted, Image image, PodSandbox sandbox) {
        String handler = wanted.getRuntimeHandler();
        if (!handler.isEmpty()
                && !node.handlers()
                        .named(handler)
                        .name()
                        .equals(node.handlers().named(sandbox.record().runtimeHandler()).name())) {
            throw PodException.invalid(
                    "config.image.runtime_handler: "
                            + handler
                            + " is not the handler of "
                            + sandbox
                            + "; images here are the same for all handlers, so leave it empty");
        }
        String reference = wanted.getImageRef();
        if (!reference.isEmpty() && node.images().find(reference).filter(image::equals).isEmpty()) {
            throw PodException.invalid(
                    "config.image.image_ref: "
                            + reference
                            + " is not the image "
                            + wanted.getImage()
                            + ", which is "
                            + image.id().value());
        }
    }

    private Image image(ImageSpec wanted, String namespace) {
        Image image =
                node.images()
                        .find(wanted.getImage())
                        .orElseThrow(() ->
                                new PodException(
                                        ErrorKind.NOT_FOUND,
                                        "image "
                                                + wanted.getImage()
                                                + " is not on this node; pull it first (crictl pull "
                                                + wanted.getImage()
                                                + ")"));
        // The policy may have changed since the pull, or the image come by another name.
        String named = wanted.getUserSpecifiedImage();
        node.images().requireTrusted(image, named.isEmpty() ? wanted.getImage() : named, namespace);
        return image;
    }

    private SpecRequest request(
            PodSandbox sandbox,
            ContainerConfig config,
            Image image,
            ContainerId id,
            OciRuntime runtime,
            List<ImageVolume> volumes) {
        return new SpecRequest(
                id,
                config,
                facts(sandbox),
                image.configuration(),
                config.getImage().getImage(),
                node.layout().rootFileSystem(id),
                node.layout().bundle(id),
                new Handler(handlerConfiguration(sandbox), runtime.features()),
                targetPid(sandbox, config),
                volumes,
                node.layout().anonymousVolumes(id));
    }

    private SandboxFacts facts(PodSandbox sandbox) {
        return facts(node.layout(), sandbox);
    }

    /** What of a pod exists for its containers to join and mount. */
    static SandboxFacts facts(Layout layout, PodSandbox sandbox) {
        Set<NamespaceKind> pinned = SandboxRequests.pinned(sandbox.config());
        ProcessIdentity init = sandbox.record().init();
        return new SandboxFacts(
                sandbox.id(),
                sandbox.config(),
                sandbox.record().hostname(),
                sandbox.record().cgroupParent(),
                pin(layout, sandbox, pinned, NamespaceKind.NETWORK),
                pin(layout, sandbox, pinned, NamespaceKind.IPC),
                pin(layout, sandbox, pinned, NamespaceKind.UTS),
                init == null ? OptionalInt.empty() : OptionalInt.of(init.pid()),
                SandboxRequests.namespaces(sandbox.config()).getIpc() == NamespaceMode.NODE
                        ? HOST_SHARED_MEMORY
                        : layout.sharedMemory(sandbox.id()),
                layout.resolvConf(sandbox.id()),
                layout.hostname(sandbox.id()),
                Optional.of(layout.hosts(sandbox.id())),
                pin(layout, sandbox, pinned, NamespaceKind.USER));
    }

    /** How the image's files become those of the pod's users. */
    private Optional<IdShift> shift(PodSandbox sandbox, ContainerId id) {
        return UserMapping.of(SandboxRequests.namespaces(sandbox.config()))
                .map(users ->
                        users.shift(
                                node.layout().namespace(sandbox.id(), NamespaceKind.USER),
                                node.layout().bundle(id).resolve(Layout.SCRATCH)));
    }

    /** Root of a user namespace is another user of the node; the container's files are its own. */
    private void giveFilesToRoot(BuiltSpec spec, PodSandbox sandbox) {
        UserMapping.of(SandboxRequests.namespaces(sandbox.config()))
                .ifPresent(users ->
                        spec.files()
                                .forEach(file ->
                                        node.linux()
                                                .changeOwner(
                                                        file.path(),
                                                        users.hostUid(0),
                                                        users.hostGid(0))));
    }

    private static Optional<Path> pin(
            Layout layout, PodSandbox sandbox, Set<NamespaceKind> pinned, NamespaceKind kind) {
        return pinned.contains(kind)
                ? Optional.of(layout.namespace(sandbox.id(), kind))
                : Optional.empty();
    }

    private OptionalInt targetPid(PodSandbox sandbox, ContainerConfig config) {
        NamespaceOption options = config.getLinux().getSecurityContext().getNamespaceOptions();
        if (options.getPid() != NamespaceMode.TARGET) {
            return OptionalInt.empty();
        }
        Container target = inventory.container(options.getTargetId());
        ProcessIdentity process = target.record().process();
        if (!target.sandbox().equals(sandbox.id())
                || !(target.state() instanceof ContainerState.Running)
                || process == null) {
            throw PodException.invalid(
                    "namespace_options.target_id: "
                            + target
                            + " does not run in "
                            + sandbox
                            + "; name a running container of the same pod");
        }
        return OptionalInt.of(process.pid());
    }

    private RuntimeHandlerConfiguration handlerConfiguration(PodSandbox sandbox) {
        return node.settings().handler(sandbox.record().runtimeHandler());
    }

    /** What the user wrote, when that names the image; kubelet itself asks by id. */
    private static String readableName(ImageSpec wanted, Image image) {
        if (!wanted.getUserSpecifiedImage().isEmpty()) {
            return wanted.getUserSpecifiedImage();
        }
        String id = wanted.getImage();
        if (id.startsWith("sha256:")) {
            id = id.substring("sha256:".length());
        }
        return image.id().value().startsWith(id) && !image.repoTags().isEmpty()
                ? image.repoTags().getFirst()
                : wanted.getImage();
    }

    /** The readable image name, what kubelet knows the image by, and what the spec settled. */
    private static byte[] effective(BuiltSpec spec, ContainerConfig config, Image image) {
        String reference =
                image.repoDigests().isEmpty() ? image.id().value() : image.repoDigests().getFirst();
        String name = readableName(config.getImage(), image);
        return ContainerStatus.newBuilder(spec.effective())
                .setImage(
                        ImageSpec.newBuilder(config.getImage())
                                .setImage(name)
                                .setUserSpecifiedImage(config.getImage().getUserSpecifiedImage()))
                .setImageRef(reference)
                .setImageId(image.id().value())
                .build()
                .toByteArray();
    }
}
