package io.crema.runtime.nri;

import io.crema.base.Deadline;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.nri.v1alpha1.CDIDevice;
import io.crema.nri.v1alpha1.ContainerAdjustment;
import io.crema.nri.v1alpha1.Field;
import io.crema.nri.v1alpha1.Hook;
import io.crema.nri.v1alpha1.LinuxContainerAdjustment;
import io.crema.oci.linux.Linux;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.oci.spec.RuntimeSpec.Hooks;
import io.crema.runtime.cdi.CdiDevices;
import io.crema.runtime.spec.BuiltSpec;
import io.crema.runtime.spec.Handler;
import io.crema.runtime.spec.NodeFacts;
import io.crema.runtime.state.PodException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Puts what plugins want of a container into its specification, field by field; what this node or
 * its OCI runtime cannot do is refused by the names of plugin and field, never left out. Thread
 * safe.
 */
public final class SpecAdjuster {
    private static final String REMOVED = "-";
    private static final Path RESCTRL = Path.of("/sys/fs/resctrl");

    private final Linux linux;
    private final NodeFacts node;
    private final Handler handler;
    private final CdiDevices cdiDevices;
    private final int oomScoreFloor;
    private final Path resctrl;

    /**
     * @param oomScoreFloor the lowest that this daemon may set
     */
    public SpecAdjuster(
            Linux linux,
            NodeFacts node,
            Handler handler,
            CdiDevices cdiDevices,
            int oomScoreFloor) {
        this(linux, node, handler, cdiDevices, oomScoreFloor, RESCTRL);
    }

    /**
     * @param resctrl where Intel RDT is mounted, where there is such
     */
    SpecAdjuster(
            Linux linux,
            NodeFacts node,
            Handler handler,
            CdiDevices cdiDevices,
            int oomScoreFloor,
            Path resctrl) {
        this.linux = linux;
        this.node = node;
        this.handler = handler;
        this.cdiDevices = cdiDevices;
        this.oomScoreFloor = oomScoreFloor;
        this.resctrl = resctrl;
    }

    /**
     * The specification with all adjustments, and with it the parts of the status that they change:
     * mounts and resources.
     *
     * @param deadline for giving mounts SELinux labels
     * @throws PodException FAILED_PRECONDITION naming plugin and field
     */
    public BuiltSpec adjust(BuiltSpec built, ContainerMerge merge, Deadline deadline) {
        ContainerAdjustment wanted = merge.adjustment();
        Refusals refusals = new Refusals(merge.claims(), merge.id());
        SpecDraft draft = new SpecDraft(withDevices(built.spec(), wanted, refusals));

        annotations(draft, wanted.getAnnotationsMap());
        ProcessAdjustment process = new ProcessAdjustment(draft, refusals, handler);
        process.environment(wanted.getEnvList());
        process.arguments(wanted.getArgsList());
        process.rlimits(wanted.getRlimitsList());
        hooks(draft, wanted.getHooks(), refusals);

        LinuxContainerAdjustment wantedLinux = wanted.getLinux();
        if (wantedLinux.hasOomScoreAdj()) {
            process.oomScore(wantedLinux.getOomScoreAdj().getValue(), oomScoreFloor);
        }
        if (wantedLinux.hasIoPriority()) {
            process.ioPriority(wantedLinux.getIoPriority());
        }
        if (wantedLinux.hasScheduler()) {
            process.scheduler(wantedLinux.getScheduler());
        }
        LinuxAdjustment adjustment = new LinuxAdjustment(draft, refusals, handler, linux, resctrl);
        adjustment.devices(wantedLinux.getDevicesList());
        adjustment.cgroupsPath(wantedLinux.getCgroupsPath());
        adjustment.namespaces(wantedLinux.getNamespacesList());
        adjustment.sysctls(wantedLinux.getSysctlMap());
        adjustment.netDevices(wantedLinux.getNetDevicesMap());
        if (wantedLinux.hasSeccompPolicy()) {
            draft.seccomp = SeccompFilters.toSpec(wantedLinux.getSeccompPolicy(), node, refusals);
        }
        if (wantedLinux.hasRdt()) {
            adjustment.rdt(wantedLinux.getRdt());
        }
        if (wantedLinux.hasMemoryPolicy()) {
            adjustment.memoryPolicy(wantedLinux.getMemoryPolicy());
        }
        LinuxContainerResources resources =
                new ResourceAdjustment(draft, refusals, node, handler)
                        .apply(wantedLinux.getResources(), built.resources());
        MountAdjustment mounts = new MountAdjustment(draft, refusals, linux, handler, deadline);
        mounts.apply(wanted.getMountsList());

        return new BuiltSpec(
                draft.finished(),
                built.user(),
                mounts.status(built.mounts()),
                built.stopSignal(),
                wantedLinux.hasOomScoreAdj()
                        ? resources.toBuilder()
                                .setOomScoreAdj(wantedLinux.getOomScoreAdj().getValue())
                                .build()
                        : resources,
                built.files(),
                built.warnings());
    }

    /** Before all else, so that what plugins say in so many words counts more. */
    private RuntimeSpec withDevices(
            RuntimeSpec spec, ContainerAdjustment wanted, Refusals refusals) {
        if (wanted.getCDIDevicesCount() == 0) {
            return spec;
        }
        List<String> names = wanted.getCDIDevicesList().stream().map(CDIDevice::getName).toList();
        for (String name : names) {
            try {
                var _ = cdiDevices.choose("its name", List.of(name));
            } catch (PodException e) {
                throw refusals.of(Field.CdiDevices, name, String.valueOf(e.getMessage()));
            }
        }
        try {
            // Together: what devices of one file have in common is done once.
            return cdiDevices
                    .choose("its name", names)
                    .applyTo(spec, handler.features().netDevices());
        } catch (PodException e) {
            throw refusals.of(Field.CdiDevices, String.valueOf(e.getMessage()));
        }
    }

    private static void annotations(SpecDraft draft, Map<String, String> wanted) {
        wanted.forEach((name, value) -> {
            if (name.startsWith(REMOVED)) {
                draft.annotations.remove(name.substring(REMOVED.length()));
            } else {
                draft.annotations.put(name, value);
            }
        });
    }

    private static void hooks(
            SpecDraft draft, io.crema.nri.v1alpha1.Hooks wanted, Refusals refusals) {
        draft.moreHooks =
                new Hooks(
                        hooks(wanted.getPrestartList(), refusals),
                        hooks(wanted.getCreateRuntimeList(), refusals),
                        hooks(wanted.getCreateContainerList(), refusals),
                        hooks(wanted.getStartContainerList(), refusals),
                        hooks(wanted.getPoststartList(), refusals),
                        hooks(wanted.getPoststopList(), refusals));
    }

    private static List<RuntimeSpec.Hook> hooks(List<Hook> wanted, Refusals refusals) {
        List<RuntimeSpec.Hook> hooks = new ArrayList<>();
        for (Hook hook : wanted) {
            if (!hook.getPath().startsWith("/")) {
                throw refusals.of(
                        Field.OciHooks, "the path '" + hook.getPath() + "' is not absolute");
            }
            long timeout = hook.getTimeout().getValue();
            if (hook.hasTimeout() && (timeout <= 0 || timeout > Integer.MAX_VALUE)) {
                throw refusals.of(
                        Field.OciHooks,
                        "the timeout of " + hook.getPath() + " must be positive, not " + timeout);
            }
            hooks.add(
                    new RuntimeSpec.Hook(
                            hook.getPath(),
                            hook.getArgsList(),
                            hook.getEnvList(),
                            hook.hasTimeout() ? Integer.valueOf((int) timeout) : null));
        }
        return hooks;
    }
}
