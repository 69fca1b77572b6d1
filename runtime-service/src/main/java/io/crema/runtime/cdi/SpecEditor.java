package io.crema.runtime.cdi;

import io.crema.base.ErrorKind;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.spec.ContainerProcess;
import io.crema.oci.spec.LinuxResources.DeviceRule;
import io.crema.oci.spec.LinuxSpec;
import io.crema.oci.spec.LinuxSpec.Device;
import io.crema.oci.spec.LinuxSpec.IntelRdt;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.oci.spec.RuntimeSpec.Hook;
import io.crema.oci.spec.RuntimeSpec.Hooks;
import io.crema.oci.spec.RuntimeSpec.Mount;
import io.crema.runtime.cdi.ContainerEdits.DeviceNode;
import io.crema.runtime.cdi.ContainerEdits.NamedHook;
import io.crema.runtime.state.PodException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Applies the edits of devices to a specification, in their order. */
final class SpecEditor {
    private static final String ALL_ACCESS = "rwm";

    private final LinuxFiles linux;
    private final RuntimeSpec spec;
    private final boolean hasNetDevices;

    private final Map<String, String> environment = new LinkedHashMap<>();
    private final List<Long> gids;
    private final Map<String, Device> devices = new LinkedHashMap<>();
    private final List<DeviceRule> rules;
    private final Map<String, LinuxSpec.NetDevice> netDevices;
    private final List<Mount> mounts;
    private final List<NamedHook> hooks = new ArrayList<>();
    private @Nullable IntelRdt intelRdt;

    SpecEditor(LinuxFiles linux, RuntimeSpec spec, boolean hasNetDevices) {
        this.linux = linux;
        this.spec = spec;
        this.hasNetDevices = hasNetDevices;
        spec.process().env().forEach(this::setVariable);
        gids = new ArrayList<>(spec.process().user().additionalGids());
        spec.linux().devices().forEach(device -> devices.put(device.path(), device));
        rules = new ArrayList<>(spec.linux().resources().devices());
        netDevices = new LinkedHashMap<>(spec.linux().netDevices());
        mounts = new ArrayList<>(spec.mounts());
        intelRdt = spec.linux().intelRdt();
    }

    void apply(ContainerEdits edits) {
        edits.environment().forEach(this::setVariable);
        edits.deviceNodes().forEach(this::addDevice);
        for (ContainerEdits.NetDevice device : edits.netDevices()) {
            if (!hasNetDevices) {
                throw new PodException(
                        ErrorKind.FAILED_PRECONDITION,
                        "the CDI device brings the network interface "
                                + device.hostInterfaceName()
                                + ", which this OCI runtime cannot move (its features have no"
                                + " netDevices)");
            }
            netDevices.put(
                    device.hostInterfaceName(),
                    new LinuxSpec.NetDevice(device.name().isEmpty() ? null : device.name()));
        }
        for (Mount mount : edits.mounts()) {
            mounts.removeIf(other -> other.destination().equals(mount.destination()));
            mounts.add(mount);
        }
        hooks.addAll(edits.hooks());
        for (Long gid : edits.additionalGids()) {
            if (gid != 0 && !gids.contains(gid)) {
                gids.add(gid);
            }
        }
        if (edits.intelRdt() != null) {
            intelRdt = edits.intelRdt();
        }
    }

    private void setVariable(String entry) {
        int equals = entry.indexOf('=');
        environment.put(equals < 0 ? entry : entry.substring(0, equals), entry);
    }

    private void addDevice(DeviceNode node) {
        String type = node.type();
        Long major = node.major();
        Long minor = node.minor();
        if (type.isEmpty() || (major == null && !type.equals("p"))) {
            FileStatus status = hostDevice(node);
            String found = status.isBlockDevice() ? "b" : "c";
            if (!type.isEmpty() && !type.equals(found) && !type.equals("u")) {
                throw new PodException(
                        ErrorKind.FAILED_PRECONDITION,
                        "the CDI device node "
                                + node.path()
                                + " should be of type "
                                + type
                                + " but is of type "
                                + found
                                + " on this node");
            }
            type = type.isEmpty() ? found : type;
            major = major == null ? Long.valueOf(status.deviceMajor()) : major;
            minor = minor == null ? Long.valueOf(status.deviceMinor()) : minor;
        }
        ContainerProcess.User user = spec.process().user();
        devices.put(
                node.path(),
                new Device(
                        type,
                        node.path(),
                        major,
                        minor,
                        node.fileMode(),
                        node.uid() == null && user.uid() > 0
                                ? Long.valueOf(user.uid())
                                : node.uid(),
                        node.gid() == null && user.gid() > 0
                                ? Long.valueOf(user.gid())
                                : node.gid()));
        if (type.equals("b") || type.equals("c")) {
            rules.add(
                    new DeviceRule(
                            true,
                            type,
                            major,
                            minor,
                            node.permissions().isEmpty() ? ALL_ACCESS : node.permissions()));
        }
    }

    private FileStatus hostDevice(DeviceNode node) {
        String path = node.hostPath().isEmpty() ? node.path() : node.hostPath();
        Optional<FileStatus> status = linux.status(Path.of(path), true);
        return status.filter(one -> one.isCharacterDevice() || one.isBlockDevice())
                .orElseThrow(() ->
                        new PodException(
                                ErrorKind.FAILED_PRECONDITION,
                                "the CDI device needs "
                                        + path
                                        + ", which "
                                        + (status.isEmpty()
                                                ? "is not on this node"
                                                : "is not a device")));
    }

    RuntimeSpec result() {
        ContainerProcess old = spec.process();
        ContainerProcess process =
                new ContainerProcess(
                        old.terminal(),
                        new ContainerProcess.User(
                                old.user().uid(), old.user().gid(), old.user().umask(), gids),
                        old.args(),
                        List.copyOf(environment.values()),
                        old.cwd(),
                        old.capabilities(),
                        old.rlimits(),
                        old.noNewPrivileges(),
                        old.oomScoreAdj(),
                        old.apparmorProfile(),
                        old.selinuxLabel(),
                        old.scheduler(),
                        old.ioPriority());
        LinuxSpec linuxSpec = spec.linux();
        LinuxSpec changed =
                new LinuxSpec(
                        linuxSpec.uidMappings(),
                        linuxSpec.gidMappings(),
                        linuxSpec.sysctl(),
                        linuxSpec.resources().withDevices(rules),
                        linuxSpec.cgroupsPath(),
                        linuxSpec.namespaces(),
                        List.copyOf(devices.values()),
                        linuxSpec.seccomp(),
                        linuxSpec.rootfsPropagation(),
                        linuxSpec.maskedPaths(),
                        linuxSpec.readonlyPaths(),
                        linuxSpec.mountLabel(),
                        intelRdt,
                        netDevices,
                        linuxSpec.memoryPolicy());
        // Stable: mounts of one depth stay in their order.
        mounts.sort(Comparator.comparingInt(mount -> Path.of(mount.destination()).getNameCount()));
        return new RuntimeSpec(
                        spec.ociVersion(),
                        process,
                        spec.root(),
                        spec.hostname(),
                        mounts,
                        spec.hooks(),
                        spec.annotations(),
                        changed)
                .withHooks(
                        new Hooks(
                                at("prestart"),
                                at("createRuntime"),
                                at("createContainer"),
                                at("startContainer"),
                                at("poststart"),
                                at("poststop")));
    }

    private List<Hook> at(String stage) {
        return hooks.stream()
                .filter(hook -> hook.stage().equals(stage))
                .map(NamedHook::hook)
                .toList();
    }
}
