package io.crema.runtime;

import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.oci.runtime.OciRuntime;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.PodException;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets a container go on that was frozen for its checkpoint, whatever the OCI runtime says; none
 * must stay frozen.
 */
final class ResumeContainer {
    private static final Logger LOG = LoggerFactory.getLogger(ResumeContainer.class);
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private final NodeServices node;

    ResumeContainer(NodeServices node) {
        this.node = node;
    }

    void letGoOn(Container container) {
        try {
            resume(container, node.handlers().named(container.record().runtimeHandler()));
        } catch (CremaException e) {
            LOG.warn("the OCI runtime cannot resume {}, thawing its cgroup: {}", container, e);
            try {
                node.cgroups().thawContainer(container.record().cgroupParent(), container.id());
            } catch (CremaException thaw) {
                thaw.addSuppressed(e);
                throw new PodException(
                        ErrorKind.INTERNAL,
                        container
                                + " is still frozen after its checkpoint: the OCI runtime cannot"
                                + " resume it ("
                                + e.getMessage()
                                + ") and its cgroup cannot be thawed ("
                                + thaw.getMessage()
                                + "); resume it by the OCI runtime's resume or remove it (crictl rm"
                                + " -f "
                                + container.id().shortForm()
                                + ")",
                        thaw);
            }
        }
    }

    /** A container that was killed meanwhile has nothing to let go on. */
    private static void resume(Container container, OciRuntime runtime) {
        if (container.state().isAlive()
                && runtime.state(container.id(), Deadline.after(LIMIT))
                        .filter(state -> state.status().equals("paused"))
                        .isPresent()) {
            runtime.resume(container.id(), Deadline.after(LIMIT));
        }
    }
}
