package io.crema.runtime.nri;

import io.crema.base.Deadline;
import io.crema.conf.ConfigurationLoader;
import io.crema.conf.HostFacts;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.cri.v1.LinuxContainerUser;
import io.crema.cri.v1.Mount;
import io.crema.cri.v1.Signal;
import io.crema.nri.v1alpha1.Container;
import io.crema.nri.v1alpha1.ContainerAdjustment;
import io.crema.nri.v1alpha1.CreateContainerRequest;
import io.crema.nri.v1alpha1.CreateContainerResponse;
import io.crema.nri.v1alpha1.LinuxContainerAdjustment;
import io.crema.nri.v1alpha1.LinuxResources;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxMounts.MountEntry;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.runtime.RuntimeFeatures;
import io.crema.oci.spec.ContainerProcess;
import io.crema.oci.spec.LinuxResources.DeviceRule;
import io.crema.oci.spec.LinuxResources.Memory;
import io.crema.oci.spec.LinuxResources.Pids;
import io.crema.oci.spec.LinuxSpec;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.oci.spec.UnsignedLong;
import io.crema.runtime.cdi.CdiDevices;
import io.crema.runtime.spec.BuiltSpec;
import io.crema.runtime.spec.Handler;
import io.crema.runtime.spec.Node;
import io.crema.runtime.spec.NodeFacts;
import io.crema.runtime.spec.StopSignal;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** One container that is adjusted, on a node and with an OCI runtime that tests choose. */
final class AdjustmentFixture {
    static final String ID = "c1";
    static final String PLUGIN = "10-tuner";
    private static final Linux LINUX = JnaLinux.load();

    /** Of a runtime that does all there is. */
    private static final RuntimeFeatures.Tuning ALL =
            new RuntimeFeatures.Tuning(
                    Set.of("time"),
                    true,
                    Set.of("MPOL_BIND"),
                    Set.of("MPOL_F_STATIC_NODES"),
                    true,
                    true);

    NodeFacts node = Node.usual();
    boolean canAll = true;
    Path resctrl;
    Path cdi;
    int oomScoreFloor = -1000;
    @Nullable String fileLabel;
    Deadline deadline = Deadline.none();
    List<MountEntry> mountTable = List.of();
    List<LinuxSpec.Namespace> namespaces =
            List.of(
                    new LinuxSpec.Namespace("mount", null),
                    new LinuxSpec.Namespace("pid", null),
                    new LinuxSpec.Namespace("network", "/run/ns/net"),
                    new LinuxSpec.Namespace("ipc", "/run/ns/ipc"),
                    new LinuxSpec.Namespace("uts", "/run/ns/uts"));

    AdjustmentFixture(Path directory) {
        resctrl = directory.resolve("resctrl");
        cdi = directory.resolve("cdi");
    }

    BuiltSpec before() {
        ContainerProcess process =
                new ContainerProcess(
                        false,
                        new ContainerProcess.User(0, 0, null, List.of()),
                        List.of("/app"),
                        List.of("PATH=/bin", "MODE=slow", "LAST=1"),
                        "/",
                        ContainerProcess.Capabilities.none(),
                        List.of(
                                new ContainerProcess.Rlimit(
                                        "RLIMIT_CORE", UnsignedLong.of(1), UnsignedLong.of(1))),
                        false,
                        0,
                        null,
                        null);
        LinuxSpec linux =
                new LinuxSpec(
                        List.of(),
                        List.of(),
                        Map.of("kernel.sem", "1"),
                        new io.crema.oci.spec.LinuxResources(
                                List.of(
                                        new DeviceRule(false, null, null, null, "rwm"),
                                        new DeviceRule(true, "c", 10L, 200L, "rwm")),
                                new Memory(64L << 20, null, 64L << 20),
                                null,
                                new Pids(100),
                                List.of(),
                                Map.of()),
                        "/pod/crio-c1",
                        namespaces,
                        List.of(new LinuxSpec.Device("c", "/dev/tun", 10L, 200L, null, 0L, 0L)),
                        null,
                        null,
                        List.of(),
                        List.of(),
                        fileLabel);
        RuntimeSpec spec =
                new RuntimeSpec(
                        RuntimeSpec.VERSION,
                        process,
                        new RuntimeSpec.Root("/root", false),
                        "pod-name",
                        List.of(
                                RuntimeSpec.Mount.of("/proc", "proc", "proc", List.of()),
                                RuntimeSpec.Mount.bind("/data", "/srv", List.of("rbind")),
                                RuntimeSpec.Mount.bind("/a/b/c", "/srv", List.of("rbind"))),
                        null,
                        Map.of("old", "1"),
                        linux);
        return new BuiltSpec(
                spec,
                LinuxContainerUser.getDefaultInstance(),
                List.of(
                        Mount.newBuilder().setContainerPath("/data").setHostPath("/srv").build(),
                        Mount.newBuilder().setContainerPath("/a/b/c").setHostPath("/srv").build()),
                StopSignal.choose(Signal.SIGNAL_SIGTERM, ""),
                LinuxContainerResources.newBuilder().setMemoryLimitInBytes(64L << 20).build(),
                List.of(),
                List.of());
    }

    private Handler handler() {
        return new Handler(
                new ConfigurationLoader(new HostFacts(false))
                        .parse("")
                        .configuration()
                        .runtime()
                        .defaultHandler(),
                new RuntimeFeatures(
                        true,
                        "1.1.5",
                        Set.of("bind", "rbind", "ro", "rw", "rro", "rprivate", "rslave", "rshared"),
                        false,
                        true,
                        canAll,
                        true,
                        canAll ? ALL : RuntimeFeatures.Tuning.NONE));
    }

    /** The real kernel but for its mount table. */
    private Linux linux() {
        return (Linux)
                Proxy.newProxyInstance(
                        AdjustmentFixture.class.getClassLoader(),
                        new Class<?>[] {Linux.class},
                        (proxy, method, arguments) ->
                                method.getName().equals("mounts")
                                        ? mountTable
                                        : method.invoke(LINUX, arguments));
    }

    BuiltSpec adjust(Consumer<ContainerAdjustment.Builder> change) {
        ContainerAdjustment.Builder wanted = ContainerAdjustment.newBuilder();
        change.accept(wanted);
        ContainerMerge merge =
                new ContainerMerge(
                        CreateContainerRequest.newBuilder()
                                .setContainer(Container.newBuilder().setId(ID))
                                .build());
        merge.add(PLUGIN, CreateContainerResponse.newBuilder().setAdjust(wanted).build());
        return new SpecAdjuster(
                        linux(),
                        node,
                        handler(),
                        new CdiDevices(LINUX, List.of(cdi)),
                        oomScoreFloor,
                        resctrl)
                .adjust(before(), merge, deadline);
    }

    BuiltSpec adjustLinux(Consumer<LinuxContainerAdjustment.Builder> change) {
        return adjust(all -> change.accept(all.getLinuxBuilder()));
    }

    BuiltSpec adjustResources(Consumer<LinuxResources.Builder> change) {
        return adjustLinux(all -> change.accept(all.getResourcesBuilder()));
    }
}
