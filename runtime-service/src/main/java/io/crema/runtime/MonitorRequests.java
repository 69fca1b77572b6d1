package io.crema.runtime;

import io.crema.conf.RuntimeHandlerConfiguration;
import io.crema.cri.v1.ContainerConfig;
import io.crema.oci.monitor.ContainerMonitor.MonitorRequest;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.Layout;
import io.crema.runtime.state.PodSandbox;
import java.nio.file.Path;
import java.util.Optional;

/** What a monitor is told of a container. */
final class MonitorRequests {
    private MonitorRequests() {}

    static MonitorRequest of(NodeServices node, PodSandbox sandbox, Container container) {
        Layout layout = node.layout();
        ContainerConfig config = container.config();
        String logPath = container.record().logPath();
        RuntimeHandlerConfiguration handler =
                node.settings().handler(sandbox.record().runtimeHandler());
        return new MonitorRequest(
                container.id(),
                "k8s_"
                        + container.record().name()
                        + "_"
                        + sandbox.record().name()
                        + "_"
                        + sandbox.record().namespace(),
                node.handlers().named(sandbox.record().runtimeHandler()),
                layout.bundle(container.id()),
                layout.persist(container.id()),
                logPath.isEmpty() ? Optional.empty() : Optional.of(Path.of(logPath)),
                node.settings().configuration().log().containerLogSizeMaxBytes().orElse(0),
                config.getTty(),
                config.getStdin(),
                config.getStdinOnce(),
                node.settings().isSystemd(),
                node.cgroups().monitor(sandbox.record().cgroupParent(), container.id().value()),
                handler.monitorPath(),
                handler.monitorEnvironment(),
                Optional.empty());
    }
}
