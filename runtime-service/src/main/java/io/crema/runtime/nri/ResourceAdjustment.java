package io.crema.runtime.nri;

import io.crema.cri.v1.LinuxContainerResources;
import io.crema.nri.v1alpha1.Field;
import io.crema.nri.v1alpha1.LinuxDeviceCgroup;
import io.crema.nri.v1alpha1.LinuxMemory;
import io.crema.nri.v1alpha1.LinuxResources;
import io.crema.oci.spec.LinuxResources.DeviceRule;
import io.crema.oci.spec.LinuxResources.Memory;
import io.crema.runtime.spec.Handler;
import io.crema.runtime.spec.NodeFacts;
import io.crema.runtime.spec.ResourceLimits;
import io.crema.runtime.state.PodException;
import java.util.OptionalLong;

/** What plugins change of the limits of a container that is being made. */
final class ResourceAdjustment {
    private static final long HIGHEST_SWAPPINESS = 100;

    private final SpecDraft draft;
    private final Refusals refusals;
    private final NodeFacts node;
    private final Handler handler;

    ResourceAdjustment(SpecDraft draft, Refusals refusals, NodeFacts node, Handler handler) {
        this.draft = draft;
        this.refusals = refusals;
        this.node = node;
        this.handler = handler;
    }

    /**
     * @param effective the limits before
     * @return those in effect now, for the status
     */
    LinuxContainerResources apply(LinuxResources wanted, LinuxContainerResources effective) {
        if (wanted.equals(LinuxResources.getDefaultInstance())) {
            return effective;
        }
        new ResourceSupport(refusals, node).check(wanted);
        for (LinuxDeviceCgroup rule : wanted.getDevicesList()) {
            draft.deviceRules.add(
                    new DeviceRule(
                            rule.getAllow(),
                            rule.getType().isEmpty() ? null : rule.getType(),
                            rule.hasMajor() ? Long.valueOf(rule.getMajor().getValue()) : null,
                            rule.hasMinor() ? Long.valueOf(rule.getMinor().getValue()) : null,
                            rule.getAccess()));
        }
        if (wanted.hasRdtClass() && wanted.getRdtClass().getValue().isEmpty()) {
            draft.intelRdt = null;
        }
        LinuxContainerResources.Builder merged = effective.toBuilder();
        NriResources.over(merged, wanted);
        io.crema.oci.spec.LinuxResources before = draft.resources;
        draft.resources =
                withPrivileges(
                        wanted.getMemory(),
                        NriResources.extra(wanted).over(translated(merged.build(), before)));
        return merged.build();
    }

    private io.crema.oci.spec.LinuxResources translated(
            LinuxContainerResources merged, io.crema.oci.spec.LinuxResources before) {
        try {
            return new ResourceLimits(
                            node,
                            handler.configuration().minimumMemoryBytes(),
                            "in the words of the CRI, linux.resources")
                    .translate(
                            merged,
                            before.pids() == null
                                    ? OptionalLong.empty()
                                    : OptionalLong.of(before.pids().limit()));
        } catch (PodException e) {
            throw refusals.of(Field.None, String.valueOf(e.getMessage()));
        }
    }

    /** What only cgroup version 1 has and an update cannot change. */
    private io.crema.oci.spec.LinuxResources withPrivileges(
            LinuxMemory wanted, io.crema.oci.spec.LinuxResources resources) {
        boolean disablesKiller = wanted.getDisableOomKiller().getValue();
        if (!wanted.hasSwappiness() && !disablesKiller) {
            return resources;
        }
        long swappiness = wanted.getSwappiness().getValue();
        if (swappiness < 0 || swappiness > HIGHEST_SWAPPINESS) {
            throw refusals.of(
                    Field.MemSwappiness,
                    Long.toUnsignedString(swappiness) + " is not from 0 to 100");
        }
        Memory old = resources.memory() == null ? new Memory(null, null, null) : resources.memory();
        return new io.crema.oci.spec.LinuxResources(
                resources.devices(),
                new Memory(
                        old.limit(),
                        old.reservation(),
                        old.swap(),
                        old.kernelTCP(),
                        wanted.hasSwappiness() ? Long.valueOf(swappiness) : null,
                        disablesKiller ? Boolean.TRUE : null),
                resources.cpu(),
                resources.pids(),
                resources.hugepageLimits(),
                resources.unified());
    }
}
