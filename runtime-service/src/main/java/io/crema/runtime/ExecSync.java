package io.crema.runtime;

import com.google.protobuf.UnsafeByteOperations;
import io.crema.base.CurrentStep;
import io.crema.base.Deadline;
import io.crema.cri.v1.ExecSyncRequest;
import io.crema.cri.v1.ExecSyncResponse;
import io.crema.oci.monitor.ContainerMonitor.ExecResult;
import io.crema.runtime.spec.ExecProcess;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.PodException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;

/** Runs a command in a running container to its end, as probes do. */
final class ExecSync {
    /**
     * What a gRPC answer can carry to kubelet; the rest of an output is dropped, as by the peers.
     */
    private static final int MAX_OUTPUT_BYTES = 16 << 20;

    private final NodeServices node;
    private final Inventory inventory;
    private final StopContainer stop;

    ExecSync(NodeServices node, Inventory inventory, StopContainer stop) {
        this.node = node;
        this.inventory = inventory;
        this.stop = stop;
    }

    ExecSyncResponse run(ExecSyncRequest request, Deadline deadline) {
        Container container =
                Exec.check(inventory, stop, request.getContainerId(), request.getCmdList());
        if (request.getTimeout() < 0) {
            throw PodException.invalid("timeout must not be negative: " + request.getTimeout());
        }
        node.monitor().expectStart();
        CurrentStep.enter("a command in " + container);
        Path bundle = node.layout().bundle(container.id());
        ExecResult result =
                node.monitor()
                        .execSync(
                                node.handlers().named(container.record().runtimeHandler()),
                                container.id(),
                                bundle,
                                ExecProcess.json(bundle, request.getCmdList(), false),
                                container.config().getTty(),
                                request.getTimeout() == 0
                                        ? Optional.empty()
                                        : Optional.of(Duration.ofSeconds(request.getTimeout())),
                                MAX_OUTPUT_BYTES,
                                deadline);
        return ExecSyncResponse.newBuilder()
                .setStdout(UnsafeByteOperations.unsafeWrap(result.stdout()))
                .setStderr(UnsafeByteOperations.unsafeWrap(result.stderr()))
                .setExitCode(result.exitCode())
                .build();
    }
}
