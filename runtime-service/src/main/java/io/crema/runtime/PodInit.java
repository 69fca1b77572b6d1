package io.crema.runtime;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.cri.v1.RunPodSandboxRequest;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.monitor.ContainerMonitor.MonitorRequest;
import io.crema.oci.monitor.ContainerMonitor.Monitored;
import io.crema.oci.runtime.OciRuntime;
import io.crema.oci.spec.SpecJson;
import io.crema.runtime.spec.BuiltSpec;
import io.crema.runtime.spec.Handler;
import io.crema.runtime.spec.InitProgram;
import io.crema.runtime.spec.SandboxInitSpec;
import io.crema.runtime.spec.UserMapping;
import io.crema.runtime.state.Layout;
import io.crema.runtime.state.PodException;
import io.crema.runtime.state.PodSandbox;
import io.crema.runtime.state.ProcessIdentity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * PID 1 of a pod that shares its PID namespace: a static init on an empty root file system, which
 * reaps what its containers leave behind. To the OCI runtime it is a container under the sandbox's
 * id.
 */
final class PodInit {
    /** The init process and its monitor. */
    record Started(ProcessIdentity process, ProcessIdentity monitor) {}

    private final NodeServices node;
    private final SandboxInitSpec specs;

    PodInit(NodeServices node, SandboxInitSpec specs) {
        this.node = node;
        this.specs = specs;
    }

    /**
     * @throws PodException naming the field of the security context that cannot be honoured
     */
    void check(RunPodSandboxRequest request) {
        specs.check(
                request.getConfig().getLinux().getSecurityContext(),
                node.settings().handler(request.getRuntimeHandler()).seccompProfile());
    }

    Started start(PodSandbox sandbox, OciRuntime runtime, Deadline deadline) {
        Layout layout = node.layout();
        ContainerId id = asContainer(sandbox);
        RunPodSandbox.createDirectories(layout.rootFileSystem(id));
        UserMapping.of(SandboxRequests.namespaces(sandbox.config()))
                .ifPresent(users ->
                        // Its root makes the places of mounts in there.
                        node.linux()
                                .changeOwner(
                                        layout.rootFileSystem(id),
                                        users.hostUid(0),
                                        users.hostGid(0)));
        RunPodSandbox.createDirectories(layout.sandboxPersist(sandbox.id()));
        byte[] spec =
                SpecJson.write(
                        specs.build(
                                CreateContainer.facts(layout, sandbox),
                                new Handler(
                                        node.settings().handler(sandbox.record().runtimeHandler()),
                                        runtime.features()),
                                new InitProgram.StaticBinary(node.settings().initBinary()),
                                layout.rootFileSystem(id)));
        Path config = layout.bundle(id).resolve(BuiltSpec.CONFIG_FILE);
        try {
            Files.write(config, spec);
        } catch (IOException e) {
            throw new PodException(ErrorKind.INTERNAL, "cannot write " + config + ": " + e, e);
        }
        Monitored monitored =
                node.monitor()
                        .create(
                                new MonitorRequest(
                                        id,
                                        "k8s_POD_"
                                                + sandbox.record().name()
                                                + "_"
                                                + sandbox.record().namespace(),
                                        runtime,
                                        layout.bundle(id),
                                        layout.sandboxPersist(sandbox.id()),
                                        Optional.empty(),
                                        0,
                                        false,
                                        false,
                                        false,
                                        node.settings().isSystemd(),
                                        node.cgroups()
                                                .monitor(
                                                        sandbox.record().cgroupParent(),
                                                        id.value()),
                                        node.settings()
                                                .handler(sandbox.record().runtimeHandler())
                                                .monitorPath(),
                                        node.settings()
                                                .handler(sandbox.record().runtimeHandler())
                                                .monitorEnvironment(),
                                        Optional.empty()),
                                deadline);
        runtime.start(id, deadline);
        return new Started(
                new ProcessIdentity(monitored.pid(), monitored.pidStartTicks()),
                new ProcessIdentity(monitored.monitorPid(), monitored.monitorStartTicks()));
    }

    /** Has the pod lose its readiness when the process ends; does nothing when there is none. */
    void follow(PodSandbox sandbox) {
        ProcessIdentity process = sandbox.record().init();
        if (process == null) {
            return;
        }
        Optional<Descriptor> descriptor = LiveProcess.open(node.linux(), process);
        if (descriptor.isEmpty()) {
            sandbox.lost();
            return;
        }
        Descriptor open = descriptor.get();
        var _ =
                node.pollLoop()
                        .readable(open)
                        .whenComplete((ended, failure) -> {
                            open.close();
                            if (failure == null) {
                                Thread.ofVirtual()
                                        .name("lost " + sandbox.id())
                                        .start(sandbox::lost);
                            }
                        });
    }

    /** Ends it and deletes what the OCI runtime keeps of it; does nothing when there is none. */
    void stop(PodSandbox sandbox, Deadline deadline) {
        Layout layout = node.layout();
        ContainerId id = asContainer(sandbox);
        Path bundle = layout.bundle(id);
        if (!Files.isDirectory(bundle)) {
            return;
        }
        runtimeOf(sandbox).delete(id, true, deadline);
        ContainerTeardown.releaseMonitor(
                node,
                id,
                sandbox.record().cgroupParent(),
                sandbox.record().init(),
                sandbox.record().monitor(),
                deadline);
        Trees.deleteTree(bundle);
    }

    private OciRuntime runtimeOf(PodSandbox sandbox) {
        try {
            return node.handlers().named(sandbox.record().runtimeHandler());
        } catch (PodException e) {
            return node.handlers().defaultRuntime();
        }
    }

    private static ContainerId asContainer(PodSandbox sandbox) {
        return new ContainerId(sandbox.id().value());
    }
}
