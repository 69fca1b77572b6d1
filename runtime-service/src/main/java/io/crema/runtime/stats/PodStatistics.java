package io.crema.runtime.stats;

import io.crema.base.ContainerId;
import io.crema.cri.v1.LinuxPodSandboxStats;
import io.crema.cri.v1.NetworkUsage;
import io.crema.cri.v1.PodSandboxAttributes;
import io.crema.cri.v1.PodSandboxStats;
import io.crema.cri.v1.ProcessUsage;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.PodSandbox;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;

/** Makes the CRI's PodSandboxStats of ready pods, their containers included. */
final class PodStatistics {
    private final CgroupReader cgroups;
    private final CgroupPlaces places;
    private final NetworkReader networks;
    private final CpuRates rates;
    private final Recent<PodSandboxStats> recent;
    private final Clock clock;

    PodStatistics(
            CgroupReader cgroups,
            CgroupPlaces places,
            NetworkReader networks,
            CpuRates rates,
            Recent<PodSandboxStats> recent,
            Clock clock) {
        this.cgroups = cgroups;
        this.places = places;
        this.networks = networks;
        this.rates = rates;
        this.recent = recent;
        this.clock = clock;
    }

    /**
     * The statistics of one pod.
     *
     * @param containers all of the pod
     * @param readings of running containers, of this pod at least
     */
    PodSandboxStats read(
            PodSandbox sandbox,
            Collection<Container> containers,
            Map<ContainerId, ContainerStatistics.Reading> readings) {
        return recent.get(
                        sandbox.id().value(),
                        () -> Optional.of(reading(sandbox, containers, readings)))
                .orElseThrow();
    }

    private PodSandboxStats reading(
            PodSandbox sandbox,
            Collection<Container> containers,
            Map<ContainerId, ContainerStatistics.Reading> readings) {
        LinuxPodSandboxStats.Builder stats = LinuxPodSandboxStats.newBuilder();
        List<CgroupUsage> parts = new ArrayList<>();
        for (Container container : containers) {
            ContainerStatistics.Reading reading = readings.get(container.id());
            if (reading != null) {
                parts.add(reading.usage());
                stats.addContainers(reading.stats());
            }
        }
        CgroupUsage usage = whole(sandbox, parts);
        long now = Nanos.of(clock.instant());
        OptionalLong rate =
                usage.cpuNanos().isEmpty()
                        ? OptionalLong.empty()
                        : rates.observe(sandbox.id().value(), usage.cpuNanos().getAsLong());
        UsageMessages.cpu(usage, rate, now).ifPresent(stats::setCpu);
        UsageMessages.memory(usage, now).ifPresent(stats::setMemory);
        UsageMessages.io(usage, now).ifPresent(stats::setIo);
        if (usage.tasks().isPresent()) {
            stats.setProcess(
                    ProcessUsage.newBuilder()
                            .setTimestamp(now)
                            .setProcessCount(UsageMessages.value(usage.tasks().getAsLong())));
        }
        network(sandbox, containers).ifPresent(stats::setNetwork);
        return attributes(sandbox).setLinux(stats).build();
    }

    private CgroupUsage whole(PodSandbox sandbox, List<CgroupUsage> parts) {
        Optional<CgroupUsage> whole = places.ofWholePod(sandbox).flatMap(cgroups::usage);
        if (whole.isPresent()) {
            return whole.get();
        }
        if (sandbox.record().init() != null) {
            cgroups.usage(places.ofInit(sandbox)).ifPresent(parts::add);
        }
        return CgroupUsage.sum(parts);
    }

    /** Left out without a main interface: kubelet reads that one without asking whether it is. */
    private Optional<NetworkUsage> network(PodSandbox sandbox, Collection<Container> containers) {
        Optional<PodNetwork> found = networks.read(sandbox, containers);
        if (found.isEmpty() || found.get().main().isEmpty()) {
            return Optional.empty();
        }
        NetworkUsage.Builder usage =
                NetworkUsage.newBuilder()
                        .setTimestamp(Nanos.of(clock.instant()))
                        .setDefaultInterface(found.get().main().get().message());
        for (InterfaceCounters other : found.get().others()) {
            usage.addInterfaces(other.message());
        }
        return Optional.of(usage.build());
    }

    /** What is known of a pod that is not ready. */
    static PodSandboxStats withoutFigures(PodSandbox sandbox) {
        return attributes(sandbox).build();
    }

    private static PodSandboxStats.Builder attributes(PodSandbox sandbox) {
        return PodSandboxStats.newBuilder()
                .setAttributes(
                        PodSandboxAttributes.newBuilder()
                                .setId(sandbox.id().value())
                                .setMetadata(sandbox.config().getMetadata())
                                .putAllLabels(sandbox.config().getLabelsMap())
                                .putAllAnnotations(sandbox.config().getAnnotationsMap()));
    }
}
