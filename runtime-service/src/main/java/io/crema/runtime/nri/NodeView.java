package io.crema.runtime.nri;

import io.crema.base.Deadline;
import io.crema.nri.v1alpha1.Container;
import io.crema.nri.v1alpha1.ContainerEviction;
import io.crema.nri.v1alpha1.PodSandbox;
import io.crema.runtime.spec.ResourceRequest;
import java.util.List;

/** What plugins are told of this node, and do to it, outside of any event. */
public interface NodeView {
    /** All that are made. */
    List<PodSandbox> pods();

    /** All that are created or running. */
    List<Container> containers();

    /**
     * Changes the limits of a container.
     *
     * @return false when none of this id is created or running
     * @throws io.crema.base.CremaException when that is not possible
     */
    boolean update(String container, ResourceRequest wanted, Deadline deadline);

    /** Stops a container, without waiting for its end. */
    void evict(ContainerEviction eviction, String plugin);
}
