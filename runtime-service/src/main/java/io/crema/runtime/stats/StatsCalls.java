package io.crema.runtime.stats;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.base.PodSandboxId;
import io.crema.conf.StatsConfiguration;
import io.crema.cri.v1.ContainerStats;
import io.crema.cri.v1.ContainerStatsFilter;
import io.crema.cri.v1.ContainerStatsRequest;
import io.crema.cri.v1.ContainerStatsResponse;
import io.crema.cri.v1.ListContainerStatsRequest;
import io.crema.cri.v1.ListContainerStatsResponse;
import io.crema.cri.v1.ListMetricDescriptorsRequest;
import io.crema.cri.v1.ListMetricDescriptorsResponse;
import io.crema.cri.v1.ListPodSandboxMetricsRequest;
import io.crema.cri.v1.ListPodSandboxMetricsResponse;
import io.crema.cri.v1.ListPodSandboxStatsRequest;
import io.crema.cri.v1.ListPodSandboxStatsResponse;
import io.crema.cri.v1.PodSandboxMetrics;
import io.crema.cri.v1.PodSandboxStats;
import io.crema.cri.v1.PodSandboxStatsFilter;
import io.crema.cri.v1.PodSandboxStatsRequest;
import io.crema.cri.v1.PodSandboxStatsResponse;
import io.crema.oci.linux.Linux;
import io.crema.runtime.cgroup.CgroupHierarchies;
import io.crema.runtime.cgroup.CgroupPlacement;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.Layout;
import io.crema.runtime.state.PodSandbox;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.LongSupplier;
import java.util.function.Predicate;

/**
 * The calls of RuntimeService for statistics and metrics. Answers are read when they are asked for
 * (or, with a {@code collection_period}, are at most that old), take no lock of a pod and wait for
 * nothing but the kernel, and a few milliseconds for a layer that was never measured. Thread safe.
 */
public final class StatsCalls implements AutoCloseable {
    private static final String ALL_PODS = "";

    private final Inventory inventory;
    private final ContainerStatistics containers;
    private final PodStatistics pods;
    private final PodMetrics metrics;
    private final WritableLayerUsage layers;
    private final CpuRates rates;
    private final Recent<ContainerStatistics.Reading> recentContainers;
    private final Recent<PodSandboxStats> recentPods;
    private final Recent<List<PodSandboxMetrics>> recentMetrics;

    /**
     * @param containerFileSystem mount point of the file system that holds writable layers, in the
     *     words of ImageFsInfo: kubelet joins the two answers by it
     */
    public StatsCalls(
            Inventory inventory,
            Layout layout,
            Linux linux,
            CgroupHierarchies hierarchies,
            CgroupPlacement placement,
            StatsConfiguration configuration,
            Path containerFileSystem,
            Clock clock) {
        this(
                inventory,
                layout,
                linux,
                hierarchies,
                placement,
                configuration,
                containerFileSystem,
                clock,
                System::nanoTime,
                Path.of("/proc"),
                Path.of("/sys"));
    }

    StatsCalls(
            Inventory inventory,
            Layout layout,
            Linux linux,
            CgroupHierarchies hierarchies,
            CgroupPlacement placement,
            StatsConfiguration configuration,
            Path containerFileSystem,
            Clock clock,
            LongSupplier nanoTime,
            Path proc,
            Path sys) {
        this.inventory = inventory;
        Set<MetricGroup> included = MetricGroup.of(configuration.includedPodMetrics());
        KernelFiles kernel = new KernelFiles(linux);
        CgroupReader cgroups = CgroupReader.of(hierarchies, kernel, sys);
        CgroupPlaces places = new CgroupPlaces(placement);
        NetworkReader networks = new NetworkReader(linux, kernel, layout, proc);
        layers = new WritableLayerUsage(linux, layout, clock);
        rates = new CpuRates(nanoTime);
        recentContainers = new Recent<>(configuration.collectionPeriod(), nanoTime);
        recentPods = new Recent<>(configuration.collectionPeriod(), nanoTime);
        recentMetrics = new Recent<>(configuration.collectionPeriod(), nanoTime);
        containers =
                new ContainerStatistics(
                        cgroups,
                        places,
                        layers,
                        rates,
                        recentContainers,
                        containerFileSystem,
                        clock);
        pods = new PodStatistics(cgroups, places, networks, rates, recentPods, clock);
        metrics =
                new PodMetrics(
                        cgroups,
                        places,
                        networks,
                        layers,
                        new ProcessFiles(linux, kernel, proc),
                        new CgroupProcesses(kernel),
                        new BlockDevices(linux, kernel, sys),
                        linux,
                        layout,
                        included,
                        configuration.collectionPeriod().isPositive(),
                        clock);
    }

    /** Of a container that does not run, the attributes alone. */
    public ContainerStatsResponse containerStats(ContainerStatsRequest request) {
        Container container = inventory.container(request.getContainerId());
        ContainerStatistics.Reading reading =
                containers.read(List.of(container)).get(container.id());
        forgetRemoved();
        return ContainerStatsResponse.newBuilder()
                .setStats(
                        reading == null
                                ? ContainerStatistics.withoutFigures(container)
                                : reading.stats())
                .build();
    }

    public ListContainerStatsResponse listContainerStats(ListContainerStatsRequest request) {
        return ListContainerStatsResponse.newBuilder()
                .addAllStats(containerStats(request.getFilter()))
                .build();
    }

    /** Of the running containers that pass the filter. */
    public List<ContainerStats> containerStats(ContainerStatsFilter filter) {
        List<Container> chosen = new ArrayList<>();
        for (Container container : inventory.containers()) {
            if (container.id().value().startsWith(filter.getId())
                    && container.sandbox().value().startsWith(filter.getPodSandboxId())
                    && matches(filter.getLabelSelectorMap(), container.config().getLabelsMap())) {
                chosen.add(container);
            }
        }
        List<ContainerStats> stats = new ArrayList<>(chosen.size());
        containers.read(chosen).values().forEach(reading -> stats.add(reading.stats()));
        forgetRemoved();
        return stats;
    }

    /** Of a pod that is not ready, the attributes alone. */
    public PodSandboxStatsResponse podSandboxStats(PodSandboxStatsRequest request) {
        PodSandbox sandbox = inventory.sandbox(request.getPodSandboxId());
        List<PodSandboxStats> stats = podStats(List.of(sandbox));
        return PodSandboxStatsResponse.newBuilder()
                .setStats(
                        stats.isEmpty() ? PodStatistics.withoutFigures(sandbox) : stats.getFirst())
                .build();
    }

    public ListPodSandboxStatsResponse listPodSandboxStats(ListPodSandboxStatsRequest request) {
        return ListPodSandboxStatsResponse.newBuilder()
                .addAllStats(podSandboxStats(request.getFilter()))
                .build();
    }

    /** Of the ready pods that pass the filter. */
    public List<PodSandboxStats> podSandboxStats(PodSandboxStatsFilter filter) {
        List<PodSandbox> chosen = new ArrayList<>();
        for (PodSandbox sandbox : inventory.sandboxes()) {
            if (sandbox.id().value().startsWith(filter.getId())
                    && matches(filter.getLabelSelectorMap(), sandbox.config().getLabelsMap())) {
                chosen.add(sandbox);
            }
        }
        return podStats(chosen);
    }

    private List<PodSandboxStats> podStats(Collection<PodSandbox> chosen) {
        List<PodMetrics.Pod> ready = ready(chosen);
        List<Container> members = new ArrayList<>();
        for (PodMetrics.Pod pod : ready) {
            members.addAll(pod.containers());
        }
        Map<ContainerId, ContainerStatistics.Reading> readings = containers.read(members);
        List<PodSandboxStats> stats = new ArrayList<>(ready.size());
        for (PodMetrics.Pod pod : ready) {
            stats.add(pods.read(pod.sandbox(), pod.containers(), readings));
        }
        forgetRemoved();
        return stats;
    }

    private List<PodMetrics.Pod> ready(Collection<PodSandbox> sandboxes) {
        Map<PodSandboxId, List<Container>> byPod = new HashMap<>();
        for (Container container : inventory.containers()) {
            byPod.computeIfAbsent(container.sandbox(), unknown -> new ArrayList<>()).add(container);
        }
        List<PodMetrics.Pod> ready = new ArrayList<>(sandboxes.size());
        for (PodSandbox sandbox : sandboxes) {
            if (sandbox.isReady()) {
                ready.add(new PodMetrics.Pod(sandbox, byPod.getOrDefault(sandbox.id(), List.of())));
            }
        }
        return ready;
    }

    /** Every metric that there can be, also those of groups that the configuration leaves out. */
    public ListMetricDescriptorsResponse listMetricDescriptors(
            ListMetricDescriptorsRequest request) {
        ListMetricDescriptorsResponse.Builder answer = ListMetricDescriptorsResponse.newBuilder();
        for (PodMetric metric : PodMetric.values()) {
            answer.addDescriptors(metric.descriptor());
        }
        return answer.build();
    }

    public ListPodSandboxMetricsResponse listPodSandboxMetrics(
            ListPodSandboxMetricsRequest request) {
        return ListPodSandboxMetricsResponse.newBuilder()
                .addAllPodMetrics(podSandboxMetrics())
                .build();
    }

    /** Of all ready pods. */
    public List<PodSandboxMetrics> podSandboxMetrics() {
        List<PodSandboxMetrics> answer =
                recentMetrics
                        .get(
                                ALL_PODS,
                                () -> Optional.of(metrics.read(ready(inventory.sandboxes()))))
                        .orElseThrow();
        forgetRemoved();
        return answer;
    }

    private static boolean matches(Map<String, String> selector, Map<String, String> labels) {
        for (Map.Entry<String, String> wanted : selector.entrySet()) {
            if (!wanted.getValue().equals(labels.get(wanted.getKey()))) {
                return false;
            }
        }
        return true;
    }

    /** What is remembered of pods and containers ends with them. */
    private void forgetRemoved() {
        Predicate<String> exists =
                id -> isContainer(id) || inventory.sandbox(new PodSandboxId(id)).isPresent();
        rates.keepOnly(exists);
        recentContainers.keepOnly(exists);
        recentPods.keepOnly(exists);
        layers.keepOnly(inventory);
    }

    private boolean isContainer(String id) {
        return inventory.container(new ContainerId(id)).isPresent();
    }

    /** Waits for layers that were never measured as answers do, but for longer. */
    void measureLayers(Deadline patience) {
        for (Container container : inventory.containers()) {
            layers.refresh(container.id());
            var _ = layers.latest(container.id(), patience);
        }
    }

    int remembered() {
        return rates.size() + layers.size() + recentContainers.size() + recentPods.size();
    }

    /** Stops measuring layers. */
    @Override
    public void close() {
        layers.close();
    }
}
