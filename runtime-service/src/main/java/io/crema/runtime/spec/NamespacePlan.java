package io.crema.runtime.spec;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.NamespaceOption;
import io.crema.oci.spec.LinuxSpec.Namespace;
import io.crema.runtime.state.PodException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Which namespaces a container makes, joins, or shares with the node. Network and UTS always are
 * the pod's; a container that says nothing follows its pod in the others too.
 */
final class NamespacePlan {
    private static final String FIELD = "linux.security_context.namespace_options.";

    private final SpecRequest request;
    private final NodeFacts node;
    private final NamespaceOption options;

    NamespacePlan(SpecRequest request, NodeFacts node) {
        this.request = request;
        this.node = node;
        this.options =
                request.security().hasNamespaceOptions()
                        ? request.security().getNamespaceOptions()
                        : request.sandbox().namespaceOptions();
    }

    /** Whether the container has an IPC namespace of its own. */
    boolean ownIpc() {
        return options.getIpc() == NamespaceMode.CONTAINER;
    }

    List<Namespace> list() {
        SandboxFacts sandbox = request.sandbox();
        List<Namespace> namespaces = new ArrayList<>();
        user(sandbox).ifPresent(namespaces::add);
        namespaces.add(new Namespace("mount", null));
        pid().ifPresent(namespaces::add);
        network(sandbox).ifPresent(namespaces::add);
        ipc(sandbox).ifPresent(namespaces::add);
        sandbox.utsNamespace().ifPresent(path -> namespaces.add(joined("uts", path)));
        // Version 1 has no use for one: its hierarchies are mounted with the container's part only.
        if (node.cgroups().isUnified() && !request.isPrivileged()) {
            namespaces.add(new Namespace("cgroup", null));
        }
        return namespaces;
    }

    /** The container's users are its pod's; a request that says otherwise is refused. */
    private Optional<Namespace> user(SandboxFacts sandbox) {
        if (!UserMapping.of(options).equals(sandbox.users())) {
            throw PodException.invalid(
                    FIELD
                            + "userns_options: they must be those of the pod sandbox, whose user"
                            + " namespace its containers share");
        }
        return sandbox.userNamespace().map(path -> joined("user", path));
    }

    private Optional<Namespace> pid() {
        return switch (options.getPid()) {
            case CONTAINER -> Optional.of(new Namespace("pid", null));
            case NODE -> Optional.empty();
            case POD ->
                    Optional.of(
                            joinedPid(
                                    request.sandbox().initPid(),
                                    "pid: the pod has no PID namespace to share; its sandbox must"
                                            + " ask for mode POD too"));
            case TARGET -> {
                if (options.getTargetId().isEmpty()) {
                    throw PodException.invalid(FIELD + "target_id is needed by mode TARGET");
                }
                yield Optional.of(
                        joinedPid(
                                request.targetPid(),
                                "target_id: the container "
                                        + options.getTargetId()
                                        + " does not run in this pod"));
            }
            case UNRECOGNIZED -> throw unknown("pid");
        };
    }

    private static Namespace joinedPid(OptionalInt pid, String otherwise) {
        if (pid.isEmpty()) {
            throw new PodException(ErrorKind.FAILED_PRECONDITION, FIELD + otherwise);
        }
        return joined("pid", Path.of("/proc/" + pid.getAsInt() + "/ns/pid"));
    }

    private Optional<Namespace> network(SandboxFacts sandbox) {
        switch (options.getNetwork()) {
            case POD -> {}
            case NODE -> {
                if (!sandbox.isHostNetwork()) {
                    throw PodException.invalid(
                            FIELD + "network: NODE in a pod that has a network of its own");
                }
            }
            case CONTAINER, TARGET ->
                    throw PodException.invalid(
                            FIELD + "network must be POD or NODE, not " + options.getNetwork());
            case UNRECOGNIZED -> throw unknown("network");
        }
        return sandbox.networkNamespace().map(path -> joined("network", path));
    }

    private Optional<Namespace> ipc(SandboxFacts sandbox) {
        return switch (options.getIpc()) {
            case CONTAINER -> Optional.of(new Namespace("ipc", null));
            case POD -> sandbox.ipcNamespace().map(path -> joined("ipc", path));
            case NODE -> {
                if (!sandbox.isHostIpc()) {
                    throw PodException.invalid(
                            FIELD + "ipc: NODE in a pod that has an IPC namespace of its own");
                }
                yield Optional.empty();
            }
            case TARGET -> throw PodException.invalid(FIELD + "ipc must not be TARGET");
            case UNRECOGNIZED -> throw unknown("ipc");
        };
    }

    private static PodException unknown(String name) {
        return PodException.invalid(FIELD + name + ": this value is unknown");
    }

    private static Namespace joined(String type, Path path) {
        return new Namespace(type, path.toString());
    }
}
