package io.crema.runtime.spec;

import io.crema.cri.v1.LinuxContainerResources;

/**
 * New limits of a container that exists.
 *
 * @param cri in the words of the CRI, where zero leaves a limit as it is
 * @param extra what the CRI has no words for
 */
public record ResourceRequest(LinuxContainerResources cri, ExtraLimits extra) {
    /** As UpdateContainerResources asks. */
    public static ResourceRequest of(LinuxContainerResources cri) {
        return new ResourceRequest(cri, ExtraLimits.NONE);
    }
}
