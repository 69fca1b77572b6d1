package io.crema.runtime;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * What cAdvisor asks of a container, or of a pod sandbox, which it takes for a container, too.
 *
 * @param pid a process in the container's namespaces, 0 while there is none
 * @param image a readable name
 * @param labels the CRI's, with the words by which kubelet finds a pod's sandbox
 * @param root the mounted root file system; its sibling {@code diff} is the writable layer
 */
public record ContainerInspection(
        String name,
        int pid,
        String image,
        String imageRef,
        long createdAtNanos,
        Map<String, String> labels,
        Map<String, String> annotations,
        String logPath,
        Path root,
        String sandbox,
        List<String> addresses,
        boolean hostNetwork) {
    public ContainerInspection {
        labels = Map.copyOf(labels);
        annotations = Map.copyOf(annotations);
        addresses = List.copyOf(addresses);
    }
}
