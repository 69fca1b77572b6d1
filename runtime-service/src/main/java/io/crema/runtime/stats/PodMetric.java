package io.crema.runtime.stats;

import com.google.common.collect.ImmutableList;
import io.crema.cri.v1.MetricDescriptor;
import io.crema.cri.v1.MetricType;
import java.util.ArrayList;
import java.util.List;

/**
 * The metrics of ListPodSandboxMetrics, with the names and labels under which cAdvisor made them
 * known. The CRI carries whole numbers only, so seconds are cut to whole ones.
 */
enum PodMetric {
    CPU_USAGE_SECONDS(
            MetricGroup.CPU,
            MetricType.COUNTER,
            "container_cpu_usage_seconds_total",
            "Processor time used, in seconds.",
            "cpu"),
    CPU_USER_SECONDS(
            MetricGroup.CPU,
            MetricType.COUNTER,
            "container_cpu_user_seconds_total",
            "Processor time used in user mode, in seconds."),
    CPU_SYSTEM_SECONDS(
            MetricGroup.CPU,
            MetricType.COUNTER,
            "container_cpu_system_seconds_total",
            "Processor time used in the kernel, in seconds."),
    CPU_CFS_PERIODS(
            MetricGroup.CPU,
            MetricType.COUNTER,
            "container_cpu_cfs_periods_total",
            "Periods of the processor quota that have passed."),
    CPU_CFS_THROTTLED_PERIODS(
            MetricGroup.CPU,
            MetricType.COUNTER,
            "container_cpu_cfs_throttled_periods_total",
            "Periods in which the processor quota was used up."),
    CPU_CFS_THROTTLED_SECONDS(
            MetricGroup.CPU,
            MetricType.COUNTER,
            "container_cpu_cfs_throttled_seconds_total",
            "Time spent waiting for the next period of the processor quota, in seconds."),
    FS_INODES_FREE(
            MetricGroup.DISK,
            MetricType.GAUGE,
            "container_fs_inodes_free",
            "Free inodes of the file system that holds the writable layer.",
            "device"),
    FS_INODES_TOTAL(
            MetricGroup.DISK,
            MetricType.GAUGE,
            "container_fs_inodes_total",
            "Inodes of the file system that holds the writable layer.",
            "device"),
    FS_LIMIT_BYTES(
            MetricGroup.DISK,
            MetricType.GAUGE,
            "container_fs_limit_bytes",
            "Size of the file system that holds the writable layer, in bytes.",
            "device"),
    FS_USAGE_BYTES(
            MetricGroup.DISK,
            MetricType.GAUGE,
            "container_fs_usage_bytes",
            "Size of the writable layer, in bytes.",
            "device"),
    FS_READS_BYTES(
            MetricGroup.DISK_IO,
            MetricType.COUNTER,
            "container_fs_reads_bytes_total",
            "Bytes read from a block device.",
            "device"),
    FS_READS(
            MetricGroup.DISK_IO,
            MetricType.COUNTER,
            "container_fs_reads_total",
            "Reads from a block device.",
            "device"),
    FS_WRITES_BYTES(
            MetricGroup.DISK_IO,
            MetricType.COUNTER,
            "container_fs_writes_bytes_total",
            "Bytes written to a block device.",
            "device"),
    FS_WRITES(
            MetricGroup.DISK_IO,
            MetricType.COUNTER,
            "container_fs_writes_total",
            "Writes to a block device.",
            "device"),
    BLKIO_DEVICE_USAGE(
            MetricGroup.DISK_IO,
            MetricType.COUNTER,
            "container_blkio_device_usage_total",
            "Bytes read from and written to a block device.",
            "device",
            "major",
            "minor",
            "operation"),
    HUGETLB_USAGE_BYTES(
            MetricGroup.HUGETLB,
            MetricType.GAUGE,
            "container_hugetlb_usage_bytes",
            "Huge pages in use, in bytes.",
            "pagesize"),
    HUGETLB_MAX_USAGE_BYTES(
            MetricGroup.HUGETLB,
            MetricType.GAUGE,
            "container_hugetlb_max_usage_bytes",
            "The most huge pages that were ever in use, in bytes.",
            "pagesize"),
    MEMORY_CACHE(
            MetricGroup.MEMORY,
            MetricType.GAUGE,
            "container_memory_cache",
            "Page cache, in bytes."),
    MEMORY_FAILCNT(
            MetricGroup.MEMORY,
            MetricType.COUNTER,
            "container_memory_failcnt",
            "How often the memory limit stood in the way of an allocation."),
    MEMORY_FAILURES(
            MetricGroup.MEMORY,
            MetricType.COUNTER,
            "container_memory_failures_total",
            "Page faults, by kind and by whether cgroups inside are counted too.",
            "failure_type",
            "scope"),
    MEMORY_KERNEL_USAGE(
            MetricGroup.MEMORY,
            MetricType.GAUGE,
            "container_memory_kernel_usage",
            "Memory that the kernel uses on behalf of the container, in bytes."),
    MEMORY_MAPPED_FILE(
            MetricGroup.MEMORY,
            MetricType.GAUGE,
            "container_memory_mapped_file",
            "Page cache that is mapped by processes, in bytes."),
    MEMORY_MAX_USAGE_BYTES(
            MetricGroup.MEMORY,
            MetricType.GAUGE,
            "container_memory_max_usage_bytes",
            "The most memory that was ever in use, in bytes."),
    MEMORY_RSS(
            MetricGroup.MEMORY,
            MetricType.GAUGE,
            "container_memory_rss",
            "Anonymous memory, in bytes."),
    MEMORY_SWAP(
            MetricGroup.MEMORY,
            MetricType.GAUGE,
            "container_memory_swap",
            "Swap in use, in bytes."),
    MEMORY_USAGE_BYTES(
            MetricGroup.MEMORY,
            MetricType.GAUGE,
            "container_memory_usage_bytes",
            "Memory in use, page cache included, in bytes."),
    MEMORY_WORKING_SET_BYTES(
            MetricGroup.MEMORY,
            MetricType.GAUGE,
            "container_memory_working_set_bytes",
            "Memory in use without the page cache that is dropped first, in bytes."),
    NETWORK_RECEIVE_BYTES(
            MetricGroup.NETWORK,
            MetricType.COUNTER,
            "container_network_receive_bytes_total",
            "Bytes received.",
            "interface"),
    NETWORK_RECEIVE_ERRORS(
            MetricGroup.NETWORK,
            MetricType.COUNTER,
            "container_network_receive_errors_total",
            "Errors while receiving.",
            "interface"),
    NETWORK_RECEIVE_PACKETS_DROPPED(
            MetricGroup.NETWORK,
            MetricType.COUNTER,
            "container_network_receive_packets_dropped_total",
            "Packets dropped while receiving.",
            "interface"),
    NETWORK_RECEIVE_PACKETS(
            MetricGroup.NETWORK,
            MetricType.COUNTER,
            "container_network_receive_packets_total",
            "Packets received.",
            "interface"),
    NETWORK_TRANSMIT_BYTES(
            MetricGroup.NETWORK,
            MetricType.COUNTER,
            "container_network_transmit_bytes_total",
            "Bytes transmitted.",
            "interface"),
    NETWORK_TRANSMIT_ERRORS(
            MetricGroup.NETWORK,
            MetricType.COUNTER,
            "container_network_transmit_errors_total",
            "Errors while transmitting.",
            "interface"),
    NETWORK_TRANSMIT_PACKETS_DROPPED(
            MetricGroup.NETWORK,
            MetricType.COUNTER,
            "container_network_transmit_packets_dropped_total",
            "Packets dropped while transmitting.",
            "interface"),
    NETWORK_TRANSMIT_PACKETS(
            MetricGroup.NETWORK,
            MetricType.COUNTER,
            "container_network_transmit_packets_total",
            "Packets transmitted.",
            "interface"),
    OOM_EVENTS(
            MetricGroup.OOM,
            MetricType.COUNTER,
            "container_oom_events_total",
            "Processes that the kernel killed for want of memory."),
    FILE_DESCRIPTORS(
            MetricGroup.PROCESS,
            MetricType.GAUGE,
            "container_file_descriptors",
            "Open file descriptors."),
    PROCESSES(MetricGroup.PROCESS, MetricType.GAUGE, "container_processes", "Processes."),
    SOCKETS(MetricGroup.PROCESS, MetricType.GAUGE, "container_sockets", "Open sockets."),
    THREADS(
            MetricGroup.PROCESS,
            MetricType.GAUGE,
            "container_threads",
            "Threads of all processes."),
    THREADS_MAX(
            MetricGroup.PROCESS,
            MetricType.GAUGE,
            "container_threads_max",
            "The most threads allowed; 0 for any number."),
    ULIMITS_SOFT(
            MetricGroup.PROCESS,
            MetricType.GAUGE,
            "container_ulimits_soft",
            "Soft resource limits of the first process.",
            "ulimit"),
    SPEC_CPU_PERIOD(
            MetricGroup.SPEC,
            MetricType.GAUGE,
            "container_spec_cpu_period",
            "Period of the processor quota, in microseconds."),
    SPEC_CPU_QUOTA(
            MetricGroup.SPEC,
            MetricType.GAUGE,
            "container_spec_cpu_quota",
            "Processor time allowed in each period, in microseconds."),
    SPEC_CPU_SHARES(
            MetricGroup.SPEC,
            MetricType.GAUGE,
            "container_spec_cpu_shares",
            "Share of the processor relative to others."),
    SPEC_MEMORY_LIMIT_BYTES(
            MetricGroup.SPEC,
            MetricType.GAUGE,
            "container_spec_memory_limit_bytes",
            "Memory limit, in bytes; 0 for none."),
    SPEC_MEMORY_RESERVATION_LIMIT_BYTES(
            MetricGroup.SPEC,
            MetricType.GAUGE,
            "container_spec_memory_reservation_limit_bytes",
            "Memory that is kept for the container, in bytes; 0 for none."),
    SPEC_MEMORY_SWAP_LIMIT_BYTES(
            MetricGroup.SPEC,
            MetricType.GAUGE,
            "container_spec_memory_swap_limit_bytes",
            "Swap limit, in bytes; 0 for none."),
    PRESSURE_CPU_STALLED_SECONDS(
            MetricGroup.PRESSURE,
            MetricType.COUNTER,
            "container_pressure_cpu_stalled_seconds_total",
            "Time in which all tasks waited for a processor, in seconds."),
    PRESSURE_CPU_WAITING_SECONDS(
            MetricGroup.PRESSURE,
            MetricType.COUNTER,
            "container_pressure_cpu_waiting_seconds_total",
            "Time in which some task waited for a processor, in seconds."),
    PRESSURE_IO_STALLED_SECONDS(
            MetricGroup.PRESSURE,
            MetricType.COUNTER,
            "container_pressure_io_stalled_seconds_total",
            "Time in which all tasks waited for a device, in seconds."),
    PRESSURE_IO_WAITING_SECONDS(
            MetricGroup.PRESSURE,
            MetricType.COUNTER,
            "container_pressure_io_waiting_seconds_total",
            "Time in which some task waited for a device, in seconds."),
    PRESSURE_MEMORY_STALLED_SECONDS(
            MetricGroup.PRESSURE,
            MetricType.COUNTER,
            "container_pressure_memory_stalled_seconds_total",
            "Time in which all tasks waited for memory, in seconds."),
    PRESSURE_MEMORY_WAITING_SECONDS(
            MetricGroup.PRESSURE,
            MetricType.COUNTER,
            "container_pressure_memory_waiting_seconds_total",
            "Time in which some task waited for memory, in seconds."),
    LAST_SEEN(
            MetricGroup.ALWAYS,
            MetricType.GAUGE,
            "container_last_seen",
            "When the container was last seen, in seconds since 1970."),
    START_TIME_SECONDS(
            MetricGroup.ALWAYS,
            MetricType.GAUGE,
            "container_start_time_seconds",
            "When the container started, in seconds since 1970.");

    /** The labels that every metric has first; the id is that of the container or of the pod. */
    private static final List<String> BASE_LABELS =
            List.of("id", "image", "namespace", "pod", "container");

    private final MetricGroup group;
    private final MetricType type;
    private final String text;
    private final String help;
    private final ImmutableList<String> labels;

    PodMetric(MetricGroup group, MetricType type, String text, String help, String... labels) {
        this.group = group;
        this.type = type;
        this.text = text;
        this.help = help;
        this.labels = ImmutableList.copyOf(labels);
    }

    MetricGroup group() {
        return group;
    }

    MetricType type() {
        return type;
    }

    /** As Prometheus has it: container_memory_rss. */
    String text() {
        return text;
    }

    /** The labels beyond those that every metric has. */
    List<String> labels() {
        return labels;
    }

    MetricDescriptor descriptor() {
        List<String> keys = new ArrayList<>(BASE_LABELS);
        keys.addAll(labels);
        return MetricDescriptor.newBuilder()
                .setName(text)
                .setHelp(help)
                .addAllLabelKeys(keys)
                .build();
    }
}
