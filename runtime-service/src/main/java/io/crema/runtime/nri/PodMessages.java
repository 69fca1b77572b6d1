package io.crema.runtime.nri;

import com.google.protobuf.InvalidProtocolBufferException;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.nri.v1alpha1.LinuxNamespace;
import io.crema.nri.v1alpha1.LinuxPodSandbox;
import io.crema.nri.v1alpha1.PodSandbox;
import io.crema.runtime.state.ProcessIdentity;
import io.crema.runtime.state.SandboxRecord;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Pods as plugins see them. */
public final class PodMessages {
    private PodMessages() {}

    /**
     * @param addresses those it has, or will have once it is ready
     * @param namespaces those that it owns, by the specification's names
     */
    public static PodSandbox of(
            io.crema.runtime.state.PodSandbox sandbox,
            List<String> addresses,
            Map<String, Path> namespaces) {
        SandboxRecord record = sandbox.record();
        var linux = sandbox.config().getLinux();
        LinuxPodSandbox.Builder told =
                LinuxPodSandbox.newBuilder()
                        .setCgroupParent(record.cgroupParent())
                        .setPodOverhead(
                                ResourceMessages.of(latest(record.overhead(), linux.getOverhead())))
                        .setPodResources(
                                ResourceMessages.of(
                                        latest(record.resources(), linux.getResources())));
        namespaces.forEach((type, path) ->
                told.addNamespaces(
                        LinuxNamespace.newBuilder().setType(type).setPath(path.toString())));
        ProcessIdentity init = record.init();
        return PodSandbox.newBuilder()
                .setId(record.id().value())
                .setName(record.name())
                .setUid(record.uid())
                .setNamespace(record.namespace())
                .putAllLabels(sandbox.config().getLabelsMap())
                .putAllAnnotations(sandbox.config().getAnnotationsMap())
                .setRuntimeHandler(record.runtimeHandler())
                .setLinux(told)
                .setPid(init == null ? 0 : init.pid())
                .addAllIps(addresses)
                .build();
    }

    private static LinuxContainerResources latest(
            byte[] updated, LinuxContainerResources original) {
        if (updated.length == 0) {
            return original;
        }
        try {
            return LinuxContainerResources.parseFrom(updated);
        } catch (InvalidProtocolBufferException e) {
            throw new IllegalArgumentException("the record of a pod holds no resources", e);
        }
    }
}
