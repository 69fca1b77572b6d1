package io.crema.runtime.nri;

import io.crema.nri.v1alpha1.CDIDevice;
import io.crema.nri.v1alpha1.Container;
import io.crema.nri.v1alpha1.ContainerAdjustment;
import io.crema.nri.v1alpha1.ContainerEviction;
import io.crema.nri.v1alpha1.ContainerUpdate;
import io.crema.nri.v1alpha1.CreateContainerRequest;
import io.crema.nri.v1alpha1.CreateContainerResponse;
import io.crema.nri.v1alpha1.Field;
import io.crema.nri.v1alpha1.Hooks;
import io.crema.nri.v1alpha1.KeyValue;
import io.crema.nri.v1alpha1.LinuxContainer;
import io.crema.nri.v1alpha1.LinuxContainerAdjustment;
import io.crema.nri.v1alpha1.LinuxDevice;
import io.crema.nri.v1alpha1.LinuxNamespace;
import io.crema.nri.v1alpha1.LinuxNetDevice;
import io.crema.nri.v1alpha1.LinuxRdt;
import io.crema.nri.v1alpha1.Mount;
import io.crema.nri.v1alpha1.OwningPlugins;
import io.crema.nri.v1alpha1.POSIXRlimit;
import io.crema.nri.v1alpha1.PluginInstance;
import io.crema.nri.v1alpha1.ValidateContainerAdjustmentRequest;
import io.crema.runtime.nri.KeyedChanges.Change;
import io.crema.runtime.state.PodException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;

/**
 * Collects what plugins, asked one after the other, want of a container that is being made, and of
 * others because of it. Each plugin is shown the container as those before it adjusted it. Not
 * thread safe.
 */
public final class ContainerMerge {
    private final FieldClaims claims = new FieldClaims();
    private final CreateContainerRequest pristine;
    private final CreateContainerRequest.Builder request;
    private final String id;
    private final UpdateMerge updates;
    private final KeyedChanges<Map.Entry<String, String>> annotations;
    private final KeyedChanges<Mount> mounts;
    private final KeyedChanges<KeyValue> environment;
    private final KeyedChanges<LinuxDevice> devices;
    private final KeyedChanges<LinuxNamespace> namespaces;
    private final KeyedChanges<Map.Entry<String, String>> sysctls;
    private final KeyedChanges<Map.Entry<String, LinuxNetDevice>> netDevices;

    /** What is not set entry by entry. */
    private final ContainerAdjustment.Builder rest = ContainerAdjustment.newBuilder();

    public ContainerMerge(CreateContainerRequest pristine) {
        this.pristine = pristine;
        this.request = pristine.toBuilder();
        this.id = pristine.getContainer().getId();
        this.updates = new UpdateMerge(claims, Optional.empty(), id);
        this.annotations = new KeyedChanges<>(Field.Annotations, id, claims);
        this.mounts = new KeyedChanges<>(Field.Mounts, id, claims);
        this.environment = new KeyedChanges<>(Field.Env, id, claims);
        this.devices = new KeyedChanges<>(Field.Devices, id, claims);
        this.namespaces = new KeyedChanges<>(Field.Namespace, id, claims, true);
        this.sysctls = new KeyedChanges<>(Field.Sysctl, id, claims);
        this.netDevices = new KeyedChanges<>(Field.LinuxNetDevices, id, claims);
    }

    /** What the next plugin is to be asked. */
    public CreateContainerRequest request() {
        return request.build();
    }

    /**
     * Adds what one plugin answered.
     *
     * @param plugin as messages are to call it
     * @throws PodException FAILED_PRECONDITION naming the plugins and the field, when another
     *     plugin has set the same
     */
    public void add(String plugin, CreateContainerResponse answer) {
        UnknownFields.refuse(plugin, "CreateContainer of " + id, answer);
        if (answer.hasAdjust()) {
            claims.takesPart(id, plugin);
            adjust(plugin, answer.getAdjust());
        }
        updates.add(plugin, answer.getUpdateList(), answer.getEvictList());
    }

    private void adjust(String plugin, ContainerAdjustment wanted) {
        Container.Builder container = request.getContainerBuilder();
        Change<Map.Entry<String, String>> changedAnnotations =
                annotations.add(
                        plugin,
                        List.copyOf(wanted.getAnnotationsMap().entrySet()),
                        Map.Entry::getKey);
        changedAnnotations.touched().forEach(container::removeAnnotations);
        changedAnnotations
                .added()
                .forEach((name, entry) -> container.putAnnotations(name, entry.getValue()));

        Change<Mount> changedMounts =
                mounts.add(plugin, wanted.getMountsList(), Mount::getDestination);
        List<Mount> newMounts =
                replaced(container.getMountsList(), changedMounts, Mount::getDestination);
        container.clearMounts().addAllMounts(newMounts);

        Change<KeyValue> changedEnvironment =
                environment.add(plugin, wanted.getEnvList(), KeyValue::getKey);
        List<String> variables = new ArrayList<>(container.getEnvList());
        variables.removeIf(entry -> changedEnvironment.touched().contains(variable(entry)));
        changedEnvironment
                .added()
                .forEach((name, entry) -> variables.add(name + "=" + entry.getValue()));
        container.clearEnv().addAllEnv(variables);

        arguments(plugin, wanted.getArgsList());
        hooks(plugin, wanted.getHooks());
        for (POSIXRlimit limit : wanted.getRlimitsList()) {
            claims.claim(id, Field.Rlimits, limit.getType(), plugin);
            rest.addRlimits(limit);
            List<POSIXRlimit> others = new ArrayList<>(container.getRlimitsList());
            others.removeIf(one -> one.getType().equals(limit.getType()));
            container.clearRlimits().addAllRlimits(others).addRlimits(limit);
        }
        for (CDIDevice device : wanted.getCDIDevicesList()) {
            claims.claim(id, Field.CdiDevices, device.getName(), plugin);
            rest.addCDIDevices(device);
            container.addCDIDevices(device);
        }
        adjust(plugin, wanted.getLinux(), container.getLinuxBuilder());
    }

    private void adjust(
            String plugin, LinuxContainerAdjustment wanted, LinuxContainer.Builder linux) {
        Change<LinuxDevice> changedDevices =
                devices.add(plugin, wanted.getDevicesList(), LinuxDevice::getPath);
        List<LinuxDevice> newDevices =
                replaced(linux.getDevicesList(), changedDevices, LinuxDevice::getPath);
        linux.clearDevices().addAllDevices(newDevices);

        Change<LinuxNamespace> changedNamespaces =
                namespaces.add(plugin, wanted.getNamespacesList(), LinuxNamespace::getType);
        List<LinuxNamespace> newNamespaces =
                replaced(linux.getNamespacesList(), changedNamespaces, LinuxNamespace::getType);
        linux.clearNamespaces().addAllNamespaces(newNamespaces);

        Change<Map.Entry<String, String>> changedSysctls =
                sysctls.add(
                        plugin, List.copyOf(wanted.getSysctlMap().entrySet()), Map.Entry::getKey);
        changedSysctls.touched().forEach(linux::removeSysctl);
        changedSysctls.added().forEach((name, entry) -> linux.putSysctl(name, entry.getValue()));

        Change<Map.Entry<String, LinuxNetDevice>> changedNetDevices =
                netDevices.add(
                        plugin,
                        List.copyOf(wanted.getNetDevicesMap().entrySet()),
                        Map.Entry::getKey);
        changedNetDevices.touched().forEach(linux::removeNetDevices);
        changedNetDevices
                .added()
                .forEach((name, entry) -> linux.putNetDevices(name, entry.getValue()));

        new ResourceMerge(
                        claims,
                        id,
                        plugin,
                        List.of(
                                linux.getResourcesBuilder(),
                                rest.getLinuxBuilder().getResourcesBuilder()))
                .add(wanted.getResources());
        single(plugin, wanted, linux, rest.getLinuxBuilder());
        if (wanted.hasRdt()) {
            rdt(plugin, wanted.getRdt(), linux, rest.getLinuxBuilder().getRdtBuilder());
        }
    }

    private void single(
            String plugin,
            LinuxContainerAdjustment wanted,
            LinuxContainer.Builder linux,
            LinuxContainerAdjustment.Builder all) {
        if (!wanted.getCgroupsPath().isEmpty()) {
            claims.claim(id, Field.CgroupsPath, plugin);
            linux.setCgroupsPath(wanted.getCgroupsPath());
            all.setCgroupsPath(wanted.getCgroupsPath());
        }
        if (wanted.hasOomScoreAdj()) {
            claims.claim(id, Field.OomScoreAdj, plugin);
            linux.setOomScoreAdj(wanted.getOomScoreAdj());
            all.setOomScoreAdj(wanted.getOomScoreAdj());
        }
        if (wanted.hasIoPriority()) {
            claims.claim(id, Field.IoPriority, plugin);
            linux.setIoPriority(wanted.getIoPriority());
            all.setIoPriority(wanted.getIoPriority());
        }
        if (wanted.hasSeccompPolicy()) {
            claims.claim(id, Field.SeccompPolicy, plugin);
            linux.setSeccompPolicy(wanted.getSeccompPolicy());
            all.setSeccompPolicy(wanted.getSeccompPolicy());
        }
        if (wanted.hasScheduler()) {
            claims.claim(id, Field.LinuxSched, plugin);
            linux.setScheduler(wanted.getScheduler());
            all.setScheduler(wanted.getScheduler());
        }
        if (wanted.hasMemoryPolicy()) {
            // A container's own message has no place for it.
            claims.claim(id, Field.MemoryPolicy, plugin);
            all.setMemoryPolicy(wanted.getMemoryPolicy());
        }
    }

    /** A removal takes all three over; what the same answer sets is set on nothing. */
    private void rdt(
            String plugin, LinuxRdt wanted, LinuxContainer.Builder linux, LinuxRdt.Builder all) {
        if (wanted.getRemove()) {
            for (Field field :
                    List.of(Field.RdtClosID, Field.RdtSchemata, Field.RdtEnableMonitoring)) {
                claims.remove(id, field, "", plugin);
            }
            all.clear().setRemove(true);
            linux.clearRdt();
        }
        if (wanted.hasClosId()) {
            claims.claim(id, Field.RdtClosID, plugin);
            all.setClosId(wanted.getClosId());
            linux.getRdtBuilder().setClosId(wanted.getClosId());
        }
        if (wanted.hasSchemata()) {
            claims.claim(id, Field.RdtSchemata, plugin);
            all.setSchemata(wanted.getSchemata());
            linux.getRdtBuilder().setSchemata(wanted.getSchemata());
        }
        if (wanted.hasEnableMonitoring()) {
            claims.claim(id, Field.RdtEnableMonitoring, plugin);
            all.setEnableMonitoring(wanted.getEnableMonitoring());
            linux.getRdtBuilder().setEnableMonitoring(wanted.getEnableMonitoring());
        }
    }

    /** An empty first one says that those of an earlier plugin do not count. */
    private void arguments(String plugin, List<String> wanted) {
        if (wanted.isEmpty()) {
            return;
        }
        List<String> arguments = wanted;
        if (wanted.getFirst().isEmpty()) {
            claims.remove(id, Field.Args, "", plugin);
            arguments = wanted.subList(1, wanted.size());
        }
        claims.claim(id, Field.Args, plugin);
        rest.clearArgs().addAllArgs(arguments);
        request.getContainerBuilder().clearArgs().addAllArgs(arguments);
    }

    private void hooks(String plugin, Hooks wanted) {
        if (wanted.equals(Hooks.getDefaultInstance())) {
            return;
        }
        claims.share(id, Field.OciHooks, plugin);
        // Lists are joined.
        rest.getHooksBuilder().mergeFrom(wanted);
        request.getContainerBuilder().getHooksBuilder().mergeFrom(wanted);
    }

    private static <V> List<V> replaced(
            List<V> present, Change<V> change, Function<V, String> key) {
        List<V> result = new ArrayList<>(present);
        result.removeIf(one -> change.touched().contains(key.apply(one)));
        result.addAll(change.added().values());
        return result;
    }

    private static String variable(String entry) {
        int equals = entry.indexOf('=');
        return equals < 0 ? entry : entry.substring(0, equals);
    }

    /** What all of them want of the container: removals, marked, before what is set. */
    public ContainerAdjustment adjustment() {
        ContainerAdjustment.Builder all = rest.clone();
        LinuxContainerAdjustment.Builder linux = all.getLinuxBuilder();
        annotations.removals().forEach(name -> all.putAnnotations(name, ""));
        annotations.values().values().forEach(e -> all.putAnnotations(e.getKey(), e.getValue()));
        mounts.removals().forEach(place -> all.addMounts(Mount.newBuilder().setDestination(place)));
        all.addAllMounts(mounts.values().values());
        environment.removals().forEach(name -> all.addEnv(KeyValue.newBuilder().setKey(name)));
        all.addAllEnv(environment.values().values());
        devices.removals()
                .forEach(path -> linux.addDevices(LinuxDevice.newBuilder().setPath(path)));
        linux.addAllDevices(devices.values().values());
        namespaces
                .removals()
                .forEach(type -> linux.addNamespaces(LinuxNamespace.newBuilder().setType(type)));
        linux.addAllNamespaces(namespaces.values().values());
        sysctls.removals().forEach(name -> linux.putSysctl(name, ""));
        sysctls.values().values().forEach(e -> linux.putSysctl(e.getKey(), e.getValue()));
        netDevices
                .removals()
                .forEach(name -> linux.putNetDevices(name, LinuxNetDevice.getDefaultInstance()));
        netDevices.values().values().forEach(e -> linux.putNetDevices(e.getKey(), e.getValue()));
        return all.build();
    }

    /** Of other containers. */
    public List<ContainerUpdate> updates() {
        return updates.updates();
    }

    public List<ContainerEviction> evictions() {
        return updates.evictions();
    }

    /** Which plugin set what. */
    public OwningPlugins owners() {
        return claims.message();
    }

    /** What plugins want of others because of it. */
    UpdateMerge others() {
        return updates;
    }

    FieldClaims claims() {
        return claims;
    }

    /** Of the container that is being made. */
    String id() {
        return id;
    }

    /** What plugins that validate are to be asked, after all others. */
    public ValidateContainerAdjustmentRequest validation(List<PluginInstance> plugins) {
        return ValidateContainerAdjustmentRequest.newBuilder()
                .setPod(pristine.getPod())
                .setContainer(pristine.getContainer())
                .setAdjust(adjustment())
                .addAllUpdate(updates())
                .setOwners(owners())
                .addAllPlugins(plugins)
                .build();
    }
}
