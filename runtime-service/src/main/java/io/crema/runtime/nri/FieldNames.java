package io.crema.runtime.nri;

import io.crema.nri.v1alpha1.Field;

/** How messages call the fields that plugins set: by their place in ContainerAdjustment. */
final class FieldNames {
    private FieldNames() {}

    /** Whether it is set entry by entry. */
    static boolean hasEntries(Field field) {
        return switch (field) {
            case Annotations,
                    Mounts,
                    Devices,
                    CdiDevices,
                    Env,
                    HugepageLimits,
                    CgroupsUnified,
                    Rlimits,
                    Namespace,
                    Sysctl,
                    LinuxNetDevices ->
                    true;
            case None,
                    OciHooks,
                    Args,
                    MemLimit,
                    MemReservation,
                    MemSwapLimit,
                    MemKernelLimit,
                    MemTCPLimit,
                    MemSwappiness,
                    MemDisableOomKiller,
                    MemUseHierarchy,
                    CPUShares,
                    CPUQuota,
                    CPUPeriod,
                    CPURealtimeRuntime,
                    CPURealtimePeriod,
                    CPUSetCPUs,
                    CPUSetMems,
                    PidsLimit,
                    BlockioClass,
                    RdtClass,
                    CgroupsPath,
                    OomScoreAdj,
                    IoPriority,
                    SeccompPolicy,
                    LinuxSched,
                    RdtClosID,
                    RdtSchemata,
                    RdtEnableMonitoring,
                    MemoryPolicy,
                    UNRECOGNIZED ->
                    false;
        };
    }

    static String of(Field field, String entry) {
        return entry.isEmpty() ? of(field) : of(field) + "[" + entry + "]";
    }

    private static String of(Field field) {
        return switch (field) {
            case None, UNRECOGNIZED -> "linux.resources";
            case Annotations -> "annotations";
            case Mounts -> "mounts";
            case OciHooks -> "hooks";
            case Devices -> "linux.devices";
            case CdiDevices -> "CDI_devices";
            case Env -> "env";
            case Args -> "args";
            case MemLimit -> "linux.resources.memory.limit";
            case MemReservation -> "linux.resources.memory.reservation";
            case MemSwapLimit -> "linux.resources.memory.swap";
            case MemKernelLimit -> "linux.resources.memory.kernel";
            case MemTCPLimit -> "linux.resources.memory.kernel_tcp";
            case MemSwappiness -> "linux.resources.memory.swappiness";
            case MemDisableOomKiller -> "linux.resources.memory.disable_oom_killer";
            case MemUseHierarchy -> "linux.resources.memory.use_hierarchy";
            case CPUShares -> "linux.resources.cpu.shares";
            case CPUQuota -> "linux.resources.cpu.quota";
            case CPUPeriod -> "linux.resources.cpu.period";
            case CPURealtimeRuntime -> "linux.resources.cpu.realtime_runtime";
            case CPURealtimePeriod -> "linux.resources.cpu.realtime_period";
            case CPUSetCPUs -> "linux.resources.cpu.cpus";
            case CPUSetMems -> "linux.resources.cpu.mems";
            case PidsLimit -> "linux.resources.pids.limit";
            case HugepageLimits -> "linux.resources.hugepage_limits";
            case BlockioClass -> "linux.resources.blockio_class";
            case RdtClass -> "linux.resources.rdt_class";
            case CgroupsUnified -> "linux.resources.unified";
            case CgroupsPath -> "linux.cgroups_path";
            case OomScoreAdj -> "linux.oom_score_adj";
            case Rlimits -> "rlimits";
            case IoPriority -> "linux.io_priority";
            case SeccompPolicy -> "linux.seccomp_policy";
            case Namespace -> "linux.namespaces";
            case Sysctl -> "linux.sysctl";
            case LinuxNetDevices -> "linux.net_devices";
            case LinuxSched -> "linux.scheduler";
            case RdtClosID -> "linux.rdt.clos_id";
            case RdtSchemata -> "linux.rdt.schemata";
            case RdtEnableMonitoring -> "linux.rdt.enable_monitoring";
            case MemoryPolicy -> "linux.memory_policy";
        };
    }
}
