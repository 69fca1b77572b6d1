package io.crema.runtime.nri;

import io.crema.nri.v1alpha1.Field;
import io.crema.nri.v1alpha1.LinuxDevice;
import io.crema.nri.v1alpha1.LinuxMemoryPolicy;
import io.crema.nri.v1alpha1.LinuxNamespace;
import io.crema.nri.v1alpha1.LinuxNetDevice;
import io.crema.nri.v1alpha1.LinuxRdt;
import io.crema.nri.v1alpha1.MpolFlag;
import io.crema.nri.v1alpha1.MpolMode;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.runtime.RuntimeFeatures;
import io.crema.oci.spec.LinuxResources.DeviceRule;
import io.crema.oci.spec.LinuxSpec;
import io.crema.runtime.spec.Handler;
import io.crema.runtime.spec.OwnIpcSysctls;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What plugins change of devices, namespaces, kernel parameters and the node's hardware. */
final class LinuxAdjustment {
    private static final String REMOVED = "-";
    private static final int MODE_BITS = 07777;

    private final SpecDraft draft;
    private final Refusals refusals;
    private final Handler handler;
    private final LinuxFiles files;
    private final Path resctrl;

    LinuxAdjustment(
            SpecDraft draft, Refusals refusals, Handler handler, LinuxFiles files, Path resctrl) {
        this.draft = draft;
        this.refusals = refusals;
        this.handler = handler;
        this.files = files;
        this.resctrl = resctrl;
    }

    private RuntimeFeatures.Tuning tuning() {
        return handler.features().tuning();
    }

    void devices(List<LinuxDevice> wanted) {
        for (LinuxDevice device : wanted) {
            if (device.getPath().startsWith(REMOVED)) {
                removeDevice(device.getPath().substring(REMOVED.length()));
            } else {
                removeDevice(device.getPath());
                addDevice(device);
            }
        }
    }

    /** With the leave to use it, unless another node is for the same device. */
    private void removeDevice(String path) {
        LinuxSpec.Device device = draft.devices.remove(path);
        if (device == null || device.major() == null) {
            return;
        }
        boolean isThereStill =
                draft.devices.values().stream()
                        .anyMatch(other ->
                                other.type().equals(device.type())
                                        && device.major().equals(other.major())
                                        && Objects.equals(device.minor(), other.minor()));
        if (!isThereStill) {
            draft.deviceRules.removeIf(rule ->
                    rule.allow()
                            && device.type().equals(rule.type())
                            && device.major().equals(rule.major())
                            && Objects.equals(device.minor(), rule.minor()));
        }
    }

    private void addDevice(LinuxDevice device) {
        String path = device.getPath();
        if (!path.startsWith("/") || path.indexOf('\0') >= 0) {
            throw refusals.of(Field.Devices, path.replace('\0', '?'), "the path is not absolute");
        }
        if (!Set.of("c", "b", "u", "p").contains(device.getType())) {
            throw refusals.of(
                    Field.Devices,
                    path,
                    "the type '" + device.getType() + "' is not one of c, b, u and p");
        }
        int mode = device.getFileMode().getValue();
        if ((mode & ~MODE_BITS) != 0) {
            throw refusals.of(
                    Field.Devices,
                    path,
                    "the file mode 0" + Integer.toOctalString(mode) + " is more than permissions");
        }
        boolean isFifo = device.getType().equals("p");
        Long major = isFifo ? null : Long.valueOf(device.getMajor());
        Long minor = isFifo ? null : Long.valueOf(device.getMinor());
        draft.devices.put(
                path,
                new LinuxSpec.Device(
                        device.getType(),
                        path,
                        major,
                        minor,
                        device.hasFileMode() ? Integer.valueOf(mode) : null,
                        device.hasUid()
                                ? Long.valueOf(Integer.toUnsignedLong(device.getUid().getValue()))
                                : null,
                        device.hasGid()
                                ? Long.valueOf(Integer.toUnsignedLong(device.getGid().getValue()))
                                : null));
        if (!isFifo) {
            boolean isBlock = device.getType().equals("b");
            draft.deviceRules.add(
                    new DeviceRule(
                            true, isBlock ? "b" : "c", major, minor, isBlock ? "rwm" : "rw"));
        }
    }

    void cgroupsPath(String wanted) {
        if (!wanted.isEmpty() && !wanted.equals(draft.cgroupsPath())) {
            throw refusals.of(
                    Field.CgroupsPath,
                    "'"
                            + wanted
                            + "' is not where Crema looks for the container's statistics, OOM kills"
                            + " and processes, which is "
                            + draft.cgroupsPath());
        }
    }

    void namespaces(List<LinuxNamespace> wanted) {
        for (LinuxNamespace namespace : wanted) {
            String given = namespace.getType();
            boolean isRemoval = given.startsWith(REMOVED);
            String type = isRemoval ? given.substring(REMOVED.length()) : given;
            String path = namespace.getPath();
            check(type, isRemoval, path);
            draft.namespaces.removeIf(present -> present.type().equals(type));
            if (!isRemoval) {
                draft.namespaces.add(new LinuxSpec.Namespace(type, path.isEmpty() ? null : path));
            } else if (type.equals("uts")) {
                // It is the node's now, and so is the name.
                draft.hostname = null;
            }
        }
    }

    private void check(String type, boolean isRemoval, String path) {
        switch (type) {
            case "network", "ipc", "uts", "cgroup" -> {}
            case "pid" -> {
                LinuxSpec.Namespace present = draft.namespace("pid");
                boolean hasOwn = present != null && present.path() == null;
                if (hasOwn && (isRemoval || !path.isEmpty())) {
                    throw refusals.of(
                            Field.Namespace,
                            type,
                            "stopping the container relies on the end of its own PID namespace;"
                                    + " let the pod ask for another mode");
                }
            }
            case "mount", "user" ->
                    throw refusals.of(
                            Field.Namespace,
                            type,
                            "the container's root file system and volumes are made for the one that"
                                    + " it has");
            default -> {
                if (!tuning().namespaces().contains(type)) {
                    throw refusals.of(
                            Field.Namespace,
                            type,
                            "the OCI runtime of handler '"
                                    + handler.name()
                                    + "' has no such kind of namespace");
                }
            }
        }
        if (path.isEmpty() || isRemoval) {
            return;
        }
        if (!path.startsWith("/")
                || path.indexOf('\0') >= 0
                || files.status(Path.of(path), true).isEmpty()) {
            throw refusals.of(
                    Field.Namespace,
                    type,
                    "there is no namespace at '" + path.replace('\0', '?') + "'");
        }
    }

    void sysctls(Map<String, String> wanted) {
        wanted.forEach((name, value) -> {
            if (name.startsWith(REMOVED)) {
                draft.sysctls.remove(name.substring(REMOVED.length()));
                return;
            }
            String dotted = name.replace('/', '.');
            String needed =
                    dotted.startsWith("net.")
                            ? "network"
                            : OwnIpcSysctls.isOfIpc(dotted) ? "ipc" : null;
            if (needed == null) {
                throw refusals.of(
                        Field.Sysctl,
                        name,
                        "it is not of a container but of the whole node (net.*, fs.mqueue.* and"
                                + " System V IPC are of a container)");
            }
            if (draft.namespace(needed) == null) {
                throw refusals.of(
                        Field.Sysctl,
                        name,
                        "the container uses the node's " + needed + " namespace");
            }
            draft.sysctls.put(name, value);
        });
    }

    void netDevices(Map<String, LinuxNetDevice> wanted) {
        wanted.forEach((name, device) -> {
            if (name.startsWith(REMOVED)) {
                draft.netDevices.remove(name.substring(REMOVED.length()));
                return;
            }
            if (!handler.features().netDevices()) {
                throw refusals.of(
                        Field.LinuxNetDevices,
                        name,
                        "the OCI runtime of handler '"
                                + handler.name()
                                + "' cannot move network interfaces (its features have no"
                                + " netDevices)");
            }
            if (draft.namespace("network") == null) {
                throw refusals.of(
                        Field.LinuxNetDevices,
                        name,
                        "the container uses the node's network namespace");
            }
            draft.netDevices.put(name, new LinuxSpec.NetDevice(orNull(device.getName())));
        });
    }

    void rdt(LinuxRdt wanted) {
        if (wanted.getRemove()) {
            draft.intelRdt = null;
        }
        if (wanted.hasClosId()) {
            requireRdt(Field.RdtClosID, true, "");
        }
        if (wanted.hasSchemata()) {
            requireRdt(Field.RdtSchemata, tuning().rdtSchemata(), "schemata");
        }
        boolean monitors = wanted.getEnableMonitoring().getValue();
        if (monitors) {
            requireRdt(Field.RdtEnableMonitoring, tuning().rdtMonitoring(), "monitoring");
        }
        if (!wanted.hasClosId() && !wanted.hasSchemata() && !wanted.hasEnableMonitoring()) {
            return;
        }
        LinuxSpec.IntelRdt old =
                draft.intelRdt == null
                        ? new LinuxSpec.IntelRdt(null, List.of(), null, null, null, null, null)
                        : draft.intelRdt;
        LinuxSpec.IntelRdt changed =
                new LinuxSpec.IntelRdt(
                        wanted.hasClosId() ? wanted.getClosId().getValue() : old.closID(),
                        wanted.hasSchemata() ? wanted.getSchemata().getValueList() : old.schemata(),
                        old.l3CacheSchema(),
                        old.memBwSchema(),
                        old.enableCMT(),
                        old.enableMBM(),
                        monitors
                                ? Boolean.TRUE
                                : wanted.hasEnableMonitoring() ? null : old.enableMonitoring());
        draft.intelRdt =
                changed.equals(
                                new LinuxSpec.IntelRdt(
                                        null, List.of(), null, null, null, null, null))
                        ? null
                        : changed;
    }

    private void requireRdt(Field field, boolean runtimeHasIt, String feature) {
        if (!Files.isDirectory(resctrl.resolve("info"))) {
            throw refusals.of(
                    field,
                    "this node has no Intel RDT, or its file system is not mounted at " + resctrl);
        }
        if (!runtimeHasIt) {
            throw refusals.of(
                    field,
                    "the OCI runtime of handler '"
                            + handler.name()
                            + "' does not set it (its features have no intelRdt."
                            + feature
                            + ")");
        }
    }

    void memoryPolicy(LinuxMemoryPolicy wanted) {
        boolean isDefault =
                wanted.getMode() == MpolMode.MPOL_DEFAULT
                        && wanted.getNodes().isEmpty()
                        && wanted.getFlagsCount() == 0;
        if (isDefault) {
            draft.memoryPolicy = null;
            return;
        }
        require(tuning().memoryPolicyModes(), wanted.getMode().name());
        for (MpolFlag flag : wanted.getFlagsList()) {
            require(tuning().memoryPolicyFlags(), flag.name());
        }
        draft.memoryPolicy =
                new LinuxSpec.MemoryPolicy(
                        wanted.getMode().name(),
                        orNull(wanted.getNodes()),
                        wanted.getFlagsList().stream().map(Enum::name).toList());
    }

    private void require(Set<String> known, String name) {
        if (!known.contains(name)) {
            throw refusals.of(
                    Field.MemoryPolicy,
                    "the OCI runtime of handler '"
                            + handler.name()
                            + "' does not know "
                            + name
                            + " (its features say what memoryPolicy it sets)");
        }
    }

    private static @Nullable String orNull(String text) {
        return text.isEmpty() ? null : text;
    }
}
