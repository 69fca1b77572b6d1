package io.crema.runtime.stats;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.cri.v1.ContainerMetrics;
import io.crema.cri.v1.ContainerStatus;
import io.crema.cri.v1.PodSandboxMetadata;
import io.crema.cri.v1.PodSandboxMetrics;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxFiles.FileSystemStatus;
import io.crema.runtime.cgroup.CgroupPath;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerState;
import io.crema.runtime.state.Layout;
import io.crema.runtime.state.PodSandbox;
import io.crema.runtime.state.ProcessIdentity;
import io.crema.runtime.stats.BlockDevices.Device;
import io.crema.runtime.stats.CgroupDetail.DeviceTraffic;
import io.crema.runtime.stats.CgroupDetail.HugePages;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Makes the CRI's PodSandboxMetrics of ready pods. A pod's network is told at the pod, under the
 * container name POD as cAdvisor does; everything else at its running containers.
 */
final class PodMetrics {
    /** Stands for what is no container of the pod's own. */
    private static final String POD = "POD";

    private static final Duration LAYER_PATIENCE = Duration.ofMillis(20);

    /** How long an answer waits for statfs(2), which is a matter of microseconds. */
    private static final Duration FIRST_FILE_SYSTEM_PATIENCE = Duration.ofSeconds(1);

    private static final Duration FILE_SYSTEM_PATIENCE = Duration.ofMillis(100);

    private final CgroupReader cgroups;
    private final CgroupPlaces places;
    private final NetworkReader networks;
    private final WritableLayerUsage layers;
    private final ProcessFiles processes;
    private final CgroupProcesses members;
    private final BlockDevices devices;
    private final Linux linux;
    private final Layout layout;
    private final PatientReading<LayerFileSystem> fileSystem;
    private final Set<MetricGroup> included;
    private final boolean isKept;
    private final Clock clock;

    /**
     * @param isKept whether answers are kept and given again, so that they need a time
     */
    PodMetrics(
            CgroupReader cgroups,
            CgroupPlaces places,
            NetworkReader networks,
            WritableLayerUsage layers,
            ProcessFiles processes,
            CgroupProcesses members,
            BlockDevices devices,
            Linux linux,
            Layout layout,
            Set<MetricGroup> included,
            boolean isKept,
            Clock clock) {
        this.cgroups = cgroups;
        this.places = places;
        this.networks = networks;
        this.layers = layers;
        this.processes = processes;
        this.members = members;
        this.devices = devices;
        this.linux = linux;
        this.layout = layout;
        this.fileSystem =
                new PatientReading<>(
                        "the file system of " + layout.containers(),
                        this::readFileSystem,
                        FIRST_FILE_SYSTEM_PATIENCE,
                        FILE_SYSTEM_PATIENCE);
        this.included = included;
        this.isKept = isKept;
        this.clock = clock;
    }

    /**
     * The file system of all writable layers, looked up once for an answer.
     *
     * @param device as labels name it
     */
    private record LayerFileSystem(
            String device, Optional<Device> disk, Optional<FileSystemStatus> status) {
        static final LayerFileSystem UNKNOWN =
                new LayerFileSystem("", Optional.empty(), Optional.empty());
    }

    /** One pod with its containers. */
    record Pod(PodSandbox sandbox, Collection<Container> containers) {}

    List<PodSandboxMetrics> read(Collection<Pod> pods) {
        if (included.contains(MetricGroup.DISK)) {
            for (Pod pod : pods) {
                for (Container container : pod.containers) {
                    if (ContainerStatistics.isRunning(container)) {
                        layers.refresh(container.id());
                    }
                }
            }
        }
        LayerFileSystem known = fileSystem.take().orElse(LayerFileSystem.UNKNOWN);
        Deadline patience = Deadline.after(LAYER_PATIENCE);
        List<PodSandboxMetrics> answer = new ArrayList<>(pods.size());
        for (Pod pod : pods) {
            answer.add(pod(pod, known, patience));
        }
        return answer;
    }

    private LayerFileSystem readFileSystem() {
        Optional<Device> device = devices.holding(layout.containers());
        return new LayerFileSystem(
                device.map(Device::name).orElse(""),
                device.map(devices::disk),
                Optional.of(linux.fileSystemStatus(layout.containers())));
    }

    private PodSandboxMetrics pod(Pod pod, LayerFileSystem fileSystem, Deadline patience) {
        PodSandbox sandbox = pod.sandbox;
        long now = Nanos.of(clock.instant());
        MetricList own = list(sandbox, sandbox.id().value(), "", POD, now);
        own.add(PodMetric.LAST_SEEN, Nanos.toSeconds(now));
        own.add(PodMetric.START_TIME_SECONDS, Nanos.toSeconds(sandbox.record().createdAtNanos()));
        if (own.includes(MetricGroup.NETWORK)) {
            networks.read(sandbox, pod.containers).ifPresent(network -> network(own, network));
        }
        PodSandboxMetrics.Builder metrics =
                PodSandboxMetrics.newBuilder()
                        .setPodSandboxId(sandbox.id().value())
                        .addAllMetrics(own.all());
        for (Container container : pod.containers) {
            if (container.state() instanceof ContainerState.Running running) {
                container(sandbox, container, running, fileSystem, patience)
                        .ifPresent(metrics::addContainerMetrics);
            }
        }
        return metrics.build();
    }

    private MetricList list(
            PodSandbox sandbox, String id, String image, String container, long now) {
        PodSandboxMetadata pod = sandbox.config().getMetadata();
        return new MetricList(
                List.of(id, image, pod.getNamespace(), pod.getName(), container),
                included,
                isKept ? now : 0);
    }

    /** Empty when the container has ended meanwhile. */
    private Optional<ContainerMetrics> container(
            PodSandbox sandbox,
            Container container,
            ContainerState.Running running,
            LayerFileSystem fileSystem,
            Deadline patience) {
        CgroupPath cgroup = places.of(container);
        Optional<CgroupUsage> usage = cgroups.usage(cgroup);
        Optional<CgroupDetail> detail = cgroups.detail(cgroup);
        if (usage.isEmpty() || detail.isEmpty()) {
            return Optional.empty();
        }
        long now = Nanos.of(clock.instant());
        MetricList list =
                list(
                        sandbox,
                        container.id().value(),
                        image(container),
                        container.config().getMetadata().getName(),
                        now);
        list.add(PodMetric.LAST_SEEN, Nanos.toSeconds(now));
        list.add(PodMetric.START_TIME_SECONDS, Nanos.toSeconds(running.startedAtNanos()));
        cpu(list, usage.get(), detail.get());
        memory(list, usage.get(), detail.get());
        pressure(list, usage.get());
        spec(list, container, detail.get());
        for (HugePages pages : detail.get().hugePages()) {
            list.add(PodMetric.HUGETLB_USAGE_BYTES, pages.usageBytes(), pages.size());
            list.add(PodMetric.HUGETLB_MAX_USAGE_BYTES, pages.peakBytes(), pages.size());
        }
        if (list.includes(MetricGroup.DISK)) {
            disk(list, container.id(), fileSystem, patience);
        }
        if (list.includes(MetricGroup.DISK_IO)) {
            traffic(list, detail.get().devices(), fileSystem.disk());
        }
        if (list.includes(MetricGroup.PROCESS)) {
            processes(list, container, cgroup, usage.get(), detail.get());
        }
        return Optional.of(
                ContainerMetrics.newBuilder()
                        .setContainerId(container.id().value())
                        .addAllMetrics(list.all())
                        .build());
    }

    private static String image(Container container) {
        ContainerStatus effective = container.effective();
        String name = effective.getImage().getImage();
        return name.isEmpty() ? container.config().getImage().getImage() : name;
    }

    private static void cpu(MetricList list, CgroupUsage usage, CgroupDetail detail) {
        if (usage.cpuNanos().isPresent()) {
            list.add(
                    PodMetric.CPU_USAGE_SECONDS,
                    Nanos.toSeconds(usage.cpuNanos().getAsLong()),
                    "total");
        }
        CgroupDetail.Cpu cpu = detail.cpu();
        if (cpu != null) {
            list.add(PodMetric.CPU_USER_SECONDS, Nanos.toSeconds(cpu.userNanos()));
            list.add(PodMetric.CPU_SYSTEM_SECONDS, Nanos.toSeconds(cpu.systemNanos()));
            list.add(PodMetric.CPU_CFS_PERIODS, cpu.periods());
            list.add(PodMetric.CPU_CFS_THROTTLED_PERIODS, cpu.throttledPeriods());
            list.add(PodMetric.CPU_CFS_THROTTLED_SECONDS, Nanos.toSeconds(cpu.throttledNanos()));
        }
    }

    private static void memory(MetricList list, CgroupUsage usage, CgroupDetail detail) {
        CgroupUsage.Memory use = usage.memory();
        if (use != null) {
            list.add(PodMetric.MEMORY_CACHE, use.cacheBytes());
            list.add(PodMetric.MEMORY_RSS, use.rssBytes());
            list.add(PodMetric.MEMORY_MAPPED_FILE, use.mappedFileBytes());
            list.add(PodMetric.MEMORY_USAGE_BYTES, use.usageBytes());
            list.add(PodMetric.MEMORY_WORKING_SET_BYTES, use.workingSetBytes());
            list.add(PodMetric.MEMORY_SWAP, usage.swap() == null ? 0 : usage.swap().usageBytes());
            list.add(PodMetric.MEMORY_FAILURES, use.ownPageFaults(), "pgfault", "container");
            list.add(PodMetric.MEMORY_FAILURES, use.pageFaults(), "pgfault", "hierarchy");
            list.add(
                    PodMetric.MEMORY_FAILURES, use.ownMajorPageFaults(), "pgmajfault", "container");
            list.add(PodMetric.MEMORY_FAILURES, use.majorPageFaults(), "pgmajfault", "hierarchy");
        }
        CgroupDetail.Memory memory = detail.memory();
        if (memory != null) {
            list.add(PodMetric.MEMORY_KERNEL_USAGE, memory.kernelBytes());
            list.add(PodMetric.MEMORY_MAX_USAGE_BYTES, memory.peakBytes());
            list.add(PodMetric.MEMORY_FAILCNT, memory.limitHits());
            list.add(PodMetric.OOM_EVENTS, memory.oomKills());
        }
    }

    private static void pressure(MetricList list, CgroupUsage usage) {
        if (usage.cpuPressure() != null) {
            add(
                    list,
                    usage.cpuPressure(),
                    PodMetric.PRESSURE_CPU_WAITING_SECONDS,
                    PodMetric.PRESSURE_CPU_STALLED_SECONDS);
        }
        if (usage.memoryPressure() != null) {
            add(
                    list,
                    usage.memoryPressure(),
                    PodMetric.PRESSURE_MEMORY_WAITING_SECONDS,
                    PodMetric.PRESSURE_MEMORY_STALLED_SECONDS);
        }
        if (usage.ioPressure() != null) {
            add(
                    list,
                    usage.ioPressure(),
                    PodMetric.PRESSURE_IO_WAITING_SECONDS,
                    PodMetric.PRESSURE_IO_STALLED_SECONDS);
        }
    }

    private static void add(
            MetricList list, Pressure pressure, PodMetric waiting, PodMetric stalled) {
        list.add(waiting, Nanos.toSeconds(pressure.some().totalNanos()));
        list.add(stalled, Nanos.toSeconds(pressure.full().totalNanos()));
    }

    private static void spec(MetricList list, Container container, CgroupDetail detail) {
        CgroupDetail.Limits limits = detail.limits();
        // A weight of version 2 stands for several numbers of shares; the record has the exact one.
        long recorded = container.effective().getResources().getLinux().getCpuShares();
        OptionalLong shares = recorded > 0 ? OptionalLong.of(recorded) : limits.cpuShares();
        shares.ifPresent(value -> list.add(PodMetric.SPEC_CPU_SHARES, value));
        limits.cpuPeriodMicros().ifPresent(value -> list.add(PodMetric.SPEC_CPU_PERIOD, value));
        limits.cpuQuotaMicros()
                .ifPresent(value -> {
                    if (value > 0) { // no limit is no quota
                        list.add(PodMetric.SPEC_CPU_QUOTA, value);
                    }
                });
        limits.memoryBytes().ifPresent(value -> list.add(PodMetric.SPEC_MEMORY_LIMIT_BYTES, value));
        limits.memoryReservationBytes()
                .ifPresent(value -> list.add(PodMetric.SPEC_MEMORY_RESERVATION_LIMIT_BYTES, value));
        limits.memorySwapBytes()
                .ifPresent(value -> list.add(PodMetric.SPEC_MEMORY_SWAP_LIMIT_BYTES, value));
    }

    private void disk(
            MetricList list, ContainerId id, LayerFileSystem fileSystem, Deadline patience) {
        list.add(
                PodMetric.FS_USAGE_BYTES,
                layers.latest(id, patience).usedBytes(),
                fileSystem.device);
        if (fileSystem.status.isPresent()) {
            FileSystemStatus status = fileSystem.status.get();
            list.add(PodMetric.FS_LIMIT_BYTES, status.totalBytes(), fileSystem.device);
            list.add(PodMetric.FS_INODES_TOTAL, status.inodes(), fileSystem.device);
            list.add(PodMetric.FS_INODES_FREE, status.freeInodes(), fileSystem.device);
        }
    }

    /**
     * The kernel knows no device before its first use; the one that holds the container is told
     * from the start, with zeros, so that rates of it can be taken.
     */
    private void traffic(MetricList list, List<DeviceTraffic> rows, Optional<Device> disk) {
        boolean hasDisk = false;
        for (DeviceTraffic row : rows) {
            hasDisk |= disk.isPresent() && is(row, disk.get());
            traffic(list, row, devices.name(row.major(), row.minor()));
        }
        if (disk.isPresent() && !hasDisk) {
            Device unused = disk.get();
            traffic(
                    list,
                    new DeviceTraffic(unused.major(), unused.minor(), 0, 0, 0, 0),
                    unused.name());
        }
    }

    private static boolean is(DeviceTraffic row, Device device) {
        return row.major() == device.major() && row.minor() == device.minor();
    }

    private static void traffic(MetricList list, DeviceTraffic row, String device) {
        list.add(PodMetric.FS_READS_BYTES, row.readBytes(), device);
        list.add(PodMetric.FS_READS, row.reads(), device);
        list.add(PodMetric.FS_WRITES_BYTES, row.writtenBytes(), device);
        list.add(PodMetric.FS_WRITES, row.writes(), device);
        String major = Integer.toString(row.major());
        String minor = Integer.toString(row.minor());
        list.add(PodMetric.BLKIO_DEVICE_USAGE, row.readBytes(), device, major, minor, "Read");
        list.add(PodMetric.BLKIO_DEVICE_USAGE, row.writtenBytes(), device, major, minor, "Write");
    }

    private void processes(
            MetricList list,
            Container container,
            CgroupPath cgroup,
            CgroupUsage usage,
            CgroupDetail detail) {
        List<Integer> pids = members.of(cgroups.processes(cgroup));
        ProcessFiles.OpenFiles open = processes.openFiles(pids);
        list.add(PodMetric.PROCESSES, pids.size());
        list.add(PodMetric.FILE_DESCRIPTORS, open.descriptors());
        list.add(PodMetric.SOCKETS, open.sockets());
        usage.tasks().ifPresent(tasks -> list.add(PodMetric.THREADS, tasks));
        detail.limits().tasks().ifPresent(limit -> list.add(PodMetric.THREADS_MAX, limit));
        ProcessIdentity first = container.record().process();
        if (first != null) {
            processes
                    .openFilesLimit(first)
                    .ifPresent(limit -> list.add(PodMetric.ULIMITS_SOFT, limit, "max_open_files"));
        }
    }

    private static void network(MetricList list, PodNetwork network) {
        for (InterfaceCounters counters : network.all()) {
            String name = counters.name();
            list.add(PodMetric.NETWORK_RECEIVE_BYTES, counters.receivedBytes(), name);
            list.add(PodMetric.NETWORK_RECEIVE_ERRORS, counters.receiveErrors(), name);
            list.add(PodMetric.NETWORK_RECEIVE_PACKETS_DROPPED, counters.receiveDropped(), name);
            list.add(PodMetric.NETWORK_RECEIVE_PACKETS, counters.receivedPackets(), name);
            list.add(PodMetric.NETWORK_TRANSMIT_BYTES, counters.transmittedBytes(), name);
            list.add(PodMetric.NETWORK_TRANSMIT_ERRORS, counters.transmitErrors(), name);
            list.add(PodMetric.NETWORK_TRANSMIT_PACKETS_DROPPED, counters.transmitDropped(), name);
            list.add(PodMetric.NETWORK_TRANSMIT_PACKETS, counters.transmittedPackets(), name);
        }
    }
}
