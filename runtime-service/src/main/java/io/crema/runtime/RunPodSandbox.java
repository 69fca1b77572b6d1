package io.crema.runtime;

import io.crema.base.CleanupStack;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.base.PodSandboxId;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.PodSandboxMetadata;
import io.crema.cri.v1.RunPodSandboxRequest;
import io.crema.cri.v1.RunPodSandboxResponse;
import io.crema.oci.linux.LinuxMounts.MountFlag;
import io.crema.oci.linux.LinuxMounts.UnmountFlag;
import io.crema.oci.linux.LinuxNamespaces.NamespaceKind;
import io.crema.oci.runtime.OciRuntime;
import io.crema.runtime.selinux.Relabelling;
import io.crema.runtime.spec.UserMapping;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.Layout;
import io.crema.runtime.state.PodException;
import io.crema.runtime.state.PodSandbox;
import io.crema.runtime.state.Records;
import io.crema.runtime.state.SandboxRecord;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Makes a pod sandbox: record, namespaces, network, files, cgroup, and PID 1 when the pod shares
 * its PID namespace. A repeated request joins the first or gets its result.
 */
final class RunPodSandbox {
    /** The time one sandbox may take whoever waits; kubelet's own limit for this call. */
    private static final Duration BUDGET = Duration.ofMinutes(4);

    private final NodeServices node;
    private final Inventory inventory;
    private final PodTeardown teardown;
    private final PodInit init;
    private final IdMappedLayers layers;
    private final PodPlugins plugins;
    private final JoinableWork<PodSandboxId> work;

    RunPodSandbox(
            NodeServices node,
            Inventory inventory,
            PodTeardown teardown,
            PodInit init,
            IdMappedLayers layers,
            PodPlugins plugins,
            RemovePodSandbox remove) {
        this.node = node;
        this.inventory = inventory;
        this.teardown = teardown;
        this.init = init;
        this.layers = layers;
        this.plugins = plugins;
        this.work =
                new JoinableWork<>(
                        "RunPodSandbox",
                        id -> {
                            // A caller that never got the answer may have found the pod in a list.
                            if (inventory.containersOf(id).isEmpty()) {
                                remove.remove(id.value(), Deadline.after(BUDGET));
                            }
                        });
    }

    RunPodSandboxResponse run(RunPodSandboxRequest asked, Deadline deadline) {
        SandboxRequests.check(asked.getConfig());
        RunPodSandboxRequest request =
                asked.toBuilder().setConfig(KubernetesLabels.complete(asked.getConfig())).build();
        OciRuntime runtime = node.handlers().named(request.getRuntimeHandler());
        UserNamespaceSupport.require(node, layers, request, runtime);
        init.check(request);
        PodSandboxMetadata metadata = request.getConfig().getMetadata();
        String name =
                metadata.getNamespace()
                        + "/"
                        + metadata.getName()
                        + " uid "
                        + metadata.getUid()
                        + " attempt "
                        + metadata.getAttempt();
        PodSandboxId id =
                work.run(
                        name,
                        request,
                        deadline,
                        steps ->
                                existing(request)
                                        .orElseGet(() ->
                                                make(
                                                        request,
                                                        runtime,
                                                        Deadline.after(BUDGET),
                                                        steps)));
        return RunPodSandboxResponse.newBuilder().setPodSandboxId(id.value()).build();
    }

    /** The sandbox of the same name, which kubelet asks for again when it lost our answer. */
    private Optional<PodSandboxId> existing(RunPodSandboxRequest request) {
        PodSandboxMetadata metadata = request.getConfig().getMetadata();
        for (PodSandbox sandbox : inventory.sandboxes()) {
            if (!sandbox.config().getMetadata().equals(metadata)) {
                continue;
            }
            if (sandbox.isReady() && sandbox.config().equals(request.getConfig())) {
                return Optional.of(sandbox.id());
            }
            throw new PodException(
                    ErrorKind.ALREADY_EXISTS,
                    sandbox
                            + " has the same name, namespace, uid and attempt "
                            + (sandbox.isReady() ? "but another configuration" : "and is not ready")
                            + "; remove it first (crictl rmp "
                            + sandbox.id().shortForm()
                            + ") or raise the attempt");
        }
        return Optional.empty();
    }

    private PodSandboxId make(
            RunPodSandboxRequest request,
            OciRuntime runtime,
            Deadline deadline,
            JoinableWork.Steps steps) {
        PodSandboxConfig config = request.getConfig();
        PodSandboxMetadata metadata = config.getMetadata();
        PodSandboxId id = PodSandboxId.random();
        boolean hostNetwork = SandboxRequests.namespaces(config).getNetwork() == NamespaceMode.NODE;
        SandboxRecord record =
                new SandboxRecord(
                        SandboxRecord.VERSION,
                        id,
                        metadata.getName(),
                        metadata.getNamespace(),
                        metadata.getUid(),
                        metadata.getAttempt(),
                        config.toByteArray(),
                        request.getRuntimeHandler(),
                        SandboxFiles.hostname(config, hostNetwork),
                        node.cgroups().parent(config.getLinux().getCgroupParent()),
                        false,
                        List.of(),
                        null,
                        null,
                        !hostNetwork,
                        false,
                        node.nowNanos(),
                        new byte[0],
                        new byte[0]);
        Layout layout = node.layout();
        return CleanupStack.run(undo -> {
            createDirectories(layout.sandboxUpper(id));
            Records.write(layout.sandboxRecord(id), record);
            PodSandbox sandbox = new PodSandbox(layout, record);
            // Everything below has one undo, the same that recovery and removal use, because each
            // of its steps passes over what is not there.
            undo.push("take down half-made " + sandbox, () -> teardown.undoHalfMade(sandbox));
            steps.enter("the namespaces");
            pinNamespaces(config, record, hostNetwork, deadline);
            steps.enter("the network (CNI ADD)");
            deadline.check("the namespaces of " + sandbox);
            List<String> addresses =
                    hostNetwork
                            ? List.of()
                            : node
                                    .networks()
                                    .attach(teardown.attachment(sandbox, true), deadline)
                                    .addresses()
                                    .stream()
                                    .map(InetAddress::getHostAddress)
                                    .toList();
            steps.enter("the shared memory, files and cgroup");
            mountSharedMemory(config, record);
            SandboxFiles.write(layout, record, config, addresses, hostNetwork);
            giveFilesToRoot(config, id);
            labelFiles(config, id);
            makeLogDirectory(config, id);
            node.cgroups().createPod(record.cgroupParent(), id);
            steps.enter("the init process (the OCI runtime's create and start)");
            Optional<PodInit.Started> started =
                    SandboxRequests.namespaces(config).getPid() == NamespaceMode.POD
                            ? Optional.of(init.start(sandbox, runtime, deadline))
                            : Optional.empty();
            steps.enter("the NRI plugins' RunPodSandbox");
            plugins.runPodSandbox(sandbox, addresses, undo, deadline);
            sandbox.update(before ->
                    before.ready(
                            addresses,
                            started.map(PodInit.Started::process).orElse(null),
                            started.map(PodInit.Started::monitor).orElse(null)));
            inventory.add(sandbox);
            plugins.made(sandbox);
            init.follow(sandbox);
            return id;
        });
    }

    private void pinNamespaces(
            PodSandboxConfig config, SandboxRecord record, boolean hostNetwork, Deadline deadline) {
        Map<NamespaceKind, Path> pins = new EnumMap<>(NamespaceKind.class);
        for (NamespaceKind kind : SandboxRequests.pinned(config)) {
            pins.put(kind, node.layout().namespace(record.id(), kind));
        }
        if (pins.isEmpty()) {
            return;
        }
        createDirectories(node.layout().namespaceDirectory(record.id()));
        Optional<UserMapping> users = UserMapping.of(SandboxRequests.namespaces(config));
        if (users.isPresent()) {
            node.userNamespaces()
                    .createAndPin(
                            pins,
                            List.of(users.get().uids()),
                            List.of(users.get().gids()),
                            hostNetwork ? "" : record.hostname(),
                            UserNamespaceSupport.clamped(
                                    node.settings().sysctls(config, pins.keySet()), users.get()),
                            deadline);
            return;
        }
        node.linux()
                .createAndPin(
                        pins,
                        hostNetwork ? "" : record.hostname(),
                        node.settings().sysctls(config, pins.keySet()));
    }

    private void mountSharedMemory(PodSandboxConfig config, SandboxRecord record) {
        if (SandboxRequests.namespaces(config).getIpc() == NamespaceMode.NODE) {
            return;
        }
        Path target = node.layout().sharedMemory(record.id());
        createDirectories(target);
        node.linux()
                .mount(
                        "shm",
                        target,
                        "tmpfs",
                        EnumSet.of(MountFlag.NO_SUID, MountFlag.NO_DEV, MountFlag.NO_EXEC),
                        labelled(config, record.id())
                                + "mode=1777,size="
                                + node.settings().sharedMemoryBytes(config, record.runtimeHandler())
                                + UserMapping.of(SandboxRequests.namespaces(config))
                                        .map(users ->
                                                ",uid="
                                                        + Integer.toUnsignedString(users.hostUid(0))
                                                        + ",gid="
                                                        + Integer.toUnsignedString(
                                                                users.hostGid(0)))
                                        .orElse(""));
    }

    /** A tmpfs has one label for all its files, given when it is mounted. */
    private String labelled(PodSandboxConfig config, PodSandboxId id) {
        String label = node.selinux().ofPod(id, config).files();
        return label.isEmpty() ? "" : "context=\"" + label + "\",";
    }

    private void labelFiles(PodSandboxConfig config, PodSandboxId id) {
        String label = node.selinux().ofPod(id, config).files();
        Layout layout = node.layout();
        for (Path file : List.of(layout.resolvConf(id), layout.hostname(id), layout.hosts(id))) {
            Relabelling.label(node.linux(), file, label);
        }
    }

    /** Root of a user namespace is another user of the node; the pod's files are its own. */
    private void giveFilesToRoot(PodSandboxConfig config, PodSandboxId id) {
        Layout layout = node.layout();
        UserMapping.of(SandboxRequests.namespaces(config))
                .ifPresent(users -> {
                    for (Path file :
                            List.of(layout.hosts(id), layout.hostname(id), layout.resolvConf(id))) {
                        node.linux().changeOwner(file, users.hostUid(0), users.hostGid(0));
                    }
                });
    }

    private void makeLogDirectory(PodSandboxConfig config, PodSandboxId id) {
        Path directory = node.settings().logDirectory(config, id);
        if (!Files.isDirectory(directory)) {
            createDirectories(directory.getParent() == null ? directory : directory.getParent());
            try {
                Files.createDirectory(
                        directory,
                        PosixFilePermissions.asFileAttribute(
                                PosixFilePermissions.fromString("rwx------")));
            } catch (IOException e) {
                throw new PodException(
                        ErrorKind.INTERNAL,
                        "cannot make log_directory "
                                + directory
                                + " of pod sandbox "
                                + id
                                + ": "
                                + e,
                        e);
            }
        }
    }

    static void createDirectories(Path directory) {
        try {
            Files.createDirectories(directory);
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL,
                    "cannot make the directory "
                            + directory
                            + ": "
                            + e
                            + "; is the disk full or read-only?",
                    e);
        }
    }

    static Set<UnmountFlag> detach() {
        return EnumSet.of(UnmountFlag.DETACH);
    }
}
