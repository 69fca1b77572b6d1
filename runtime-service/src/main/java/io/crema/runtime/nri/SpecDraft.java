package io.crema.runtime.nri;

import io.crema.oci.spec.ContainerProcess;
import io.crema.oci.spec.ContainerProcess.Rlimit;
import io.crema.oci.spec.LinuxResources;
import io.crema.oci.spec.LinuxSeccomp;
import io.crema.oci.spec.LinuxSpec;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.oci.spec.RuntimeSpec.Hooks;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** A specification while it is changed: those parts that plugins may change. Not thread safe. */
final class SpecDraft {
    private final RuntimeSpec before;

    final Map<String, String> annotations;
    final List<RuntimeSpec.Mount> mounts;
    @Nullable String hostname;

    List<String> args;

    /** NAME=value by name. */
    final Map<String, String> env = new LinkedHashMap<>();

    final Map<String, Rlimit> rlimits = new LinkedHashMap<>();
    @Nullable Integer oomScoreAdjustment;
    ContainerProcess.@Nullable Scheduler scheduler;
    ContainerProcess.@Nullable IoPriority ioPriority;
    Hooks moreHooks = Hooks.none();

    final Map<String, String> sysctls;
    final List<LinuxSpec.Namespace> namespaces;
    final Map<String, LinuxSpec.Device> devices = new LinkedHashMap<>();
    final List<LinuxResources.DeviceRule> deviceRules;
    LinuxResources resources;
    @Nullable LinuxSeccomp seccomp;
    @Nullable String rootPropagation;
    LinuxSpec.@Nullable IntelRdt intelRdt;
    final Map<String, LinuxSpec.NetDevice> netDevices;
    LinuxSpec.@Nullable MemoryPolicy memoryPolicy;

    SpecDraft(RuntimeSpec spec) {
        before = spec;
        annotations = new TreeMap<>(spec.annotations());
        mounts = new ArrayList<>(spec.mounts());
        hostname = spec.hostname();
        args = spec.process().args();
        for (String entry : spec.process().env()) {
            int equals = entry.indexOf('=');
            env.put(equals < 0 ? entry : entry.substring(0, equals), entry);
        }
        spec.process().rlimits().forEach(limit -> rlimits.put(limit.type(), limit));
        oomScoreAdjustment = spec.process().oomScoreAdj();
        scheduler = spec.process().scheduler();
        ioPriority = spec.process().ioPriority();
        LinuxSpec linux = spec.linux();
        sysctls = new TreeMap<>(linux.sysctl());
        namespaces = new ArrayList<>(linux.namespaces());
        linux.devices().forEach(device -> devices.put(device.path(), device));
        deviceRules = new ArrayList<>(linux.resources().devices());
        resources = linux.resources();
        seccomp = linux.seccomp();
        rootPropagation = linux.rootfsPropagation();
        intelRdt = linux.intelRdt();
        netDevices = new TreeMap<>(linux.netDevices());
        memoryPolicy = linux.memoryPolicy();
    }

    /** SELinux's label of the container's files; empty for none. */
    String fileLabel() {
        String label = before.linux().mountLabel();
        return label == null ? "" : label;
    }

    @Nullable String cgroupsPath() {
        return before.linux().cgroupsPath();
    }

    LinuxSpec.@Nullable Namespace namespace(String type) {
        for (LinuxSpec.Namespace namespace : namespaces) {
            if (namespace.type().equals(type)) {
                return namespace;
            }
        }
        return null;
    }

    RuntimeSpec finished() {
        ContainerProcess old = before.process();
        ContainerProcess process =
                new ContainerProcess(
                        old.terminal(),
                        old.user(),
                        args,
                        List.copyOf(env.values()),
                        old.cwd(),
                        old.capabilities(),
                        List.copyOf(rlimits.values()),
                        old.noNewPrivileges(),
                        oomScoreAdjustment,
                        old.apparmorProfile(),
                        old.selinuxLabel(),
                        scheduler,
                        ioPriority);
        LinuxSpec linux = before.linux();
        LinuxSpec changed =
                new LinuxSpec(
                        linux.uidMappings(),
                        linux.gidMappings(),
                        sysctls,
                        resources.withDevices(deviceRules),
                        linux.cgroupsPath(),
                        namespaces,
                        List.copyOf(devices.values()),
                        seccomp,
                        rootPropagation,
                        linux.maskedPaths(),
                        linux.readonlyPaths(),
                        linux.mountLabel(),
                        intelRdt,
                        netDevices,
                        memoryPolicy);
        return new RuntimeSpec(
                        before.ociVersion(),
                        process,
                        before.root(),
                        hostname,
                        mounts,
                        before.hooks(),
                        annotations,
                        changed)
                .withHooks(moreHooks);
    }
}
