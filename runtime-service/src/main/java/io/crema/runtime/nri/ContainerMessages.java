package io.crema.runtime.nri;

import io.crema.nri.v1alpha1.CDIDevice;
import io.crema.nri.v1alpha1.Container;
import io.crema.nri.v1alpha1.ContainerState;
import io.crema.nri.v1alpha1.Hook;
import io.crema.nri.v1alpha1.Hooks;
import io.crema.nri.v1alpha1.Image;
import io.crema.nri.v1alpha1.LinuxContainer;
import io.crema.nri.v1alpha1.LinuxDevice;
import io.crema.nri.v1alpha1.LinuxNamespace;
import io.crema.nri.v1alpha1.Mount;
import io.crema.nri.v1alpha1.OptionalFileMode;
import io.crema.nri.v1alpha1.OptionalInt;
import io.crema.nri.v1alpha1.OptionalUInt32;
import io.crema.nri.v1alpha1.POSIXRlimit;
import io.crema.nri.v1alpha1.SecurityProfile;
import io.crema.nri.v1alpha1.User;
import io.crema.oci.spec.ContainerProcess;
import io.crema.oci.spec.LinuxSpec;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.runtime.state.ContainerRecord;
import io.crema.runtime.state.ProcessIdentity;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Containers as plugins see them: what the specification says, and what has become of them. */
public final class ContainerMessages {
    private ContainerMessages() {}

    /**
     * @param spec absent when it cannot be read any more
     * @param isMade false while it is only being made
     */
    public static Container of(
            io.crema.runtime.state.Container container,
            Optional<RuntimeSpec> spec,
            boolean isMade) {
        ContainerRecord record = container.record();
        ProcessIdentity process = record.process();
        Container.Builder told =
                Container.newBuilder()
                        .setId(record.id().value())
                        .setPodSandboxId(record.sandbox().value())
                        .setName(record.name())
                        .setState(isMade ? state(container) : ContainerState.CONTAINER_UNKNOWN)
                        .putAllLabels(container.config().getLabelsMap())
                        .setCreatedAt(record.createdAtNanos())
                        .setStartedAt(record.startedAtNanos())
                        .setFinishedAt(record.finishedAtNanos())
                        .setExitCode(record.exitCode())
                        .setStatusReason(record.reason())
                        .setStatusMessage(record.message())
                        .setImage(image(container))
                        .setPid(process == null ? 0 : process.pid());
        container
                .config()
                .getCDIDevicesList()
                .forEach(device ->
                        told.addCDIDevices(CDIDevice.newBuilder().setName(device.getName())));
        // The specification has only those of them that the OCI runtime may see.
        told.putAllAnnotations(container.config().getAnnotationsMap());
        if (spec.isPresent()) {
            add(told, container, spec.get());
        } else {
            told.getLinuxBuilder()
                    .setResources(
                            ResourceMessages.of(container.effective().getResources().getLinux()))
                    .setSeccompProfile(seccomp(container));
        }
        return told.build();
    }

    private static ContainerState state(io.crema.runtime.state.Container container) {
        return switch (container.state()) {
            case io.crema.runtime.state.ContainerState.Created created ->
                    ContainerState.CONTAINER_CREATED;
            case io.crema.runtime.state.ContainerState.Running running ->
                    ContainerState.CONTAINER_RUNNING;
            case io.crema.runtime.state.ContainerState.Exited exited ->
                    ContainerState.CONTAINER_STOPPED;
        };
    }

    private static Image image(io.crema.runtime.state.Container container) {
        String reference = container.effective().getImageRef();
        int at = reference.indexOf('@');
        String name = container.effective().getImage().getImage();
        return Image.newBuilder()
                .setName(name.isEmpty() ? container.config().getImage().getImage() : name)
                .setDigest(at < 0 ? "" : reference.substring(at + 1))
                .setConfigDigest("sha256:" + container.record().image().value())
                .build();
    }

    private static void add(
            Container.Builder told, io.crema.runtime.state.Container container, RuntimeSpec spec) {
        ContainerProcess process = spec.process();
        told.putAllAnnotations(spec.annotations())
                .addAllArgs(process.args())
                .addAllEnv(process.env())
                .setLinux(linux(container, spec))
                .setUser(
                        User.newBuilder()
                                .setUid((int) process.user().uid())
                                .setGid((int) process.user().gid())
                                .addAllAdditionalGids(
                                        process.user().additionalGids().stream()
                                                .map(Long::intValue)
                                                .toList()));
        for (RuntimeSpec.Mount mount : spec.mounts()) {
            told.addMounts(
                    Mount.newBuilder()
                            .setDestination(mount.destination())
                            .setType(text(mount.type()))
                            .setSource(text(mount.source()))
                            .addAllOptions(mount.options()));
        }
        for (ContainerProcess.Rlimit limit : process.rlimits()) {
            told.addRlimits(
                    POSIXRlimit.newBuilder()
                            .setType(limit.type())
                            .setHard(limit.hard().bits())
                            .setSoft(limit.soft().bits()));
        }
        if (spec.hooks() != null) {
            told.setHooks(hooks(spec.hooks()));
        }
    }

    private static Hooks hooks(RuntimeSpec.Hooks hooks) {
        return Hooks.newBuilder()
                .addAllPrestart(hooks(hooks.prestart()))
                .addAllCreateRuntime(hooks(hooks.createRuntime()))
                .addAllCreateContainer(hooks(hooks.createContainer()))
                .addAllStartContainer(hooks(hooks.startContainer()))
                .addAllPoststart(hooks(hooks.poststart()))
                .addAllPoststop(hooks(hooks.poststop()))
                .build();
    }

    private static List<Hook> hooks(List<RuntimeSpec.Hook> hooks) {
        return hooks.stream().map(ContainerMessages::hook).toList();
    }

    private static Hook hook(RuntimeSpec.Hook hook) {
        Hook.Builder told =
                Hook.newBuilder()
                        .setPath(hook.path())
                        .addAllArgs(hook.args())
                        .addAllEnv(hook.env());
        if (hook.timeout() != null) {
            told.setTimeout(OptionalInt.newBuilder().setValue(hook.timeout()));
        }
        return told.build();
    }

    private static LinuxContainer linux(
            io.crema.runtime.state.Container container, RuntimeSpec spec) {
        LinuxSpec linux = spec.linux();
        LinuxContainer.Builder told =
                LinuxContainer.newBuilder()
                        .setResources(ResourceMessages.of(linux.resources()))
                        .setCgroupsPath(text(linux.cgroupsPath()))
                        .setSeccompProfile(seccomp(container))
                        .putAllSysctl(linux.sysctl());
        if (spec.process().oomScoreAdj() != null) {
            told.setOomScoreAdj(OptionalInt.newBuilder().setValue(spec.process().oomScoreAdj()));
        }
        for (LinuxSpec.Namespace namespace : linux.namespaces()) {
            told.addNamespaces(
                    LinuxNamespace.newBuilder()
                            .setType(namespace.type())
                            .setPath(text(namespace.path())));
        }
        linux.devices().forEach(device -> told.addDevices(device(device)));
        TuningMessages.add(spec, told);
        return told.build();
    }

    private static LinuxDevice device(LinuxSpec.Device device) {
        LinuxDevice.Builder told =
                LinuxDevice.newBuilder().setPath(device.path()).setType(device.type());
        if (device.major() != null) {
            told.setMajor(device.major());
        }
        if (device.minor() != null) {
            told.setMinor(device.minor());
        }
        if (device.fileMode() != null) {
            told.setFileMode(OptionalFileMode.newBuilder().setValue(device.fileMode()));
        }
        if (device.uid() != null) {
            told.setUid(OptionalUInt32.newBuilder().setValue(device.uid().intValue()));
        }
        if (device.gid() != null) {
            told.setGid(OptionalUInt32.newBuilder().setValue(device.gid().intValue()));
        }
        return told.build();
    }

    private static SecurityProfile seccomp(io.crema.runtime.state.Container container) {
        var context = container.config().getLinux().getSecurityContext();
        SecurityProfile.Builder told = SecurityProfile.newBuilder();
        if (context.getPrivileged()) {
            return told.setProfileType(SecurityProfile.ProfileType.UNCONFINED).build();
        }
        if (!context.hasSeccomp()) {
            return switch (context.getSeccompProfilePath()) {
                case "", "unconfined" ->
                        told.setProfileType(SecurityProfile.ProfileType.UNCONFINED).build();
                case "runtime/default", "docker/default" ->
                        told.setProfileType(SecurityProfile.ProfileType.RUNTIME_DEFAULT).build();
                default ->
                        told.setProfileType(SecurityProfile.ProfileType.LOCALHOST)
                                .setLocalhostRef(context.getSeccompProfilePath())
                                .build();
            };
        }
        return switch (context.getSeccomp().getProfileType()) {
            case RuntimeDefault ->
                    told.setProfileType(SecurityProfile.ProfileType.RUNTIME_DEFAULT).build();
            case Unconfined, UNRECOGNIZED ->
                    told.setProfileType(SecurityProfile.ProfileType.UNCONFINED).build();
            case Localhost ->
                    told.setProfileType(SecurityProfile.ProfileType.LOCALHOST)
                            .setLocalhostRef(context.getSeccomp().getLocalhostRef())
                            .build();
        };
    }

    private static String text(@Nullable String value) {
        return value == null ? "" : value;
    }
}
