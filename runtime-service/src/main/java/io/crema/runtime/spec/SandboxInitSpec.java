package io.crema.runtime.spec;

import io.crema.conf.RuntimeConfiguration;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.cri.v1.LinuxContainerSecurityContext;
import io.crema.cri.v1.LinuxSandboxSecurityContext;
import io.crema.cri.v1.SecurityProfile;
import io.crema.cri.v1.SecurityProfile.ProfileType;
import io.crema.cri.v1.SupplementalGroupsPolicy;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.spec.ContainerProcess;
import io.crema.oci.spec.ContainerProcess.Capabilities;
import io.crema.oci.spec.LinuxResources;
import io.crema.oci.spec.LinuxSeccomp;
import io.crema.oci.spec.LinuxSpec;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.runtime.cgroup.CgroupPlacement;
import io.crema.runtime.selinux.Labels;
import io.crema.runtime.selinux.SelinuxLabels;
import io.crema.runtime.state.PodException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Builds the specification of a pod's PID 1, for pods that share their PID namespace. It can do
 * next to nothing: no capabilities, a read-only root, no devices but the usual, and it joins the
 * pod's pinned namespaces. Thread safe.
 */
public final class SandboxInitSpec {
    private static final Logger LOG = LoggerFactory.getLogger(SandboxInitSpec.class);
    private static final String SECURITY = "linux.security_context.";
    private static final String BINARY_PLACE = "/init";
    private static final long NOBODY_ID = 65535;
    private static final String NOBODY = "65535:65535"; // as in the usual pause image
    private static final int OOM_SCORE_ADJUSTMENT = -998;
    private static final long LEAST_CPU_SHARES = 2;

    private static final List<String> MASKED =
            List.of(
                    "/proc/acpi",
                    "/proc/asound",
                    "/proc/interrupts",
                    "/proc/kcore",
                    "/proc/keys",
                    "/proc/latency_stats",
                    "/proc/sched_debug",
                    "/proc/scsi",
                    "/proc/timer_list",
                    "/proc/timer_stats");
    private static final List<String> READ_ONLY =
            List.of("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger");

    private final LinuxFiles files;
    private final NodeFacts node;
    private final RuntimeConfiguration runtime;
    private final CgroupPlacement placement;
    private final SeccompPolicy seccompPolicy;
    private final AppArmorPolicy appArmorPolicy;
    private final Optional<SelinuxLabels> selinux;

    /** For a node without SELinux. */
    public SandboxInitSpec(
            LinuxFiles files, NodeFacts node, SpecSettings settings, AppArmorProfiles profiles) {
        this(files, node, settings, profiles, Optional.empty());
    }

    /**
     * @param selinux absent where nothing is labelled
     */
    public SandboxInitSpec(
            LinuxFiles files,
            NodeFacts node,
            SpecSettings settings,
            AppArmorProfiles profiles,
            Optional<SelinuxLabels> selinux) {
        this.selinux = selinux.filter(SelinuxLabels::isEnabled);
        this.files = files;
        this.node = node;
        this.runtime = settings.runtime();
        this.placement = new CgroupPlacement(runtime.cgroupManager());
        this.seccompPolicy =
                new SeccompPolicy(node, settings.security().seccompProfile(), Optional.empty());
        this.appArmorPolicy =
                new AppArmorPolicy(
                        node.appArmor(), profiles, settings.security().appArmorProfile());
    }

    /**
     * Refuses what no pod may ask for its own process; also for pods that have none, whose security
     * context else would be dropped unread.
     *
     * @param handlerProfile what RuntimeDefault means for the runtime handler
     * @throws PodException INVALID_ARGUMENT or FAILED_PRECONDITION naming the field
     */
    public void check(LinuxSandboxSecurityContext security, Optional<Path> handlerProfile) {
        if (security.getSupplementalGroupsPolicy() == SupplementalGroupsPolicy.UNRECOGNIZED) {
            throw PodException.invalid(
                    SECURITY
                            + "supplemental_groups_policy: unknown value "
                            + security.getSupplementalGroupsPolicyValue());
        }
        // Files and the kernel are asked only for profiles that the request names.
        if (requestedSeccomp(security).getProfileType() == ProfileType.Localhost) {
            var _ = seccomp(security, handlerProfile);
        }
        if (requestedAppArmor(security).getProfileType() == ProfileType.Localhost) {
            var _ = appArmor(security);
        }
    }

    /**
     * @param rootFileSystem an empty directory that everybody may search (0755), or the mounted
     *     pause image
     */
    public RuntimeSpec build(
            SandboxFacts sandbox, Handler handler, InitProgram program, Path rootFileSystem) {
        LinuxSandboxSecurityContext security = sandbox.config().getLinux().getSecurityContext();
        Optional<UserMapping> users = sandbox.users();
        RuntimeSpec.Root root = new RuntimeSpec.Root(rootFileSystem.toString(), true);
        return new RuntimeSpec(
                RuntimeSpec.VERSION,
                process(sandbox, program, rootFileSystem),
                root,
                sandbox.utsNamespace().isPresent() ? sandbox.hostname() : null,
                mounts(program),
                null,
                Map.of(
                        "io.kubernetes.cri.container-type",
                        "sandbox",
                        "io.kubernetes.cri.sandbox-id",
                        sandbox.id().value()),
                new LinuxSpec(
                        users.map(UserMapping::uids).stream().toList(),
                        users.map(UserMapping::gids).stream().toList(),
                        Map.of(),
                        resources(),
                        placement.specPath(sandbox.cgroupParent(), sandbox.id().value()),
                        namespaces(sandbox),
                        List.of(),
                        seccomp(security, handler.configuration().seccompProfile()).orElse(null),
                        null,
                        MASKED,
                        READ_ONLY,
                        labels(sandbox).map(Labels::files).orElse(null)));
    }

    private ContainerProcess process(
            SandboxFacts sandbox, InitProgram program, Path rootFileSystem) {
        List<String> arguments;
        List<String> environment;
        String user;
        String name;
        String directory;
        switch (program) {
            case InitProgram.StaticBinary binary -> {
                arguments = List.of(BINARY_PLACE, "-P");
                environment = List.of();
                user = NOBODY;
                name = binary.binary().toString();
                directory = "/";
            }
            case InitProgram.PauseImage pause -> {
                List<String> command = new ArrayList<>(pause.command());
                if (command.isEmpty()) {
                    command.addAll(pause.image().entrypoint());
                    command.addAll(pause.image().command());
                }
                arguments =
                        ProcessCommand.checked(
                                command, "the pause image " + pause.name() + " has no command");
                environment = pause.image().environment();
                user = pause.image().user();
                name = pause.name();
                directory = "/";
            }
        }
        try (RootDirectory root = new RootDirectory(files, rootFileSystem)) {
            boolean hasNobody =
                    sandbox.users().map(all -> all.hasUser(NOBODY_ID, NOBODY_ID)).orElse(true);
            ResolvedUser resolved =
                    new UserResolver(root, identity(sandbox), name)
                            .resolve(hasNobody || !user.equals(NOBODY) ? user : "0:0");
            return new ContainerProcess(
                    false,
                    resolved.forProcess(null),
                    arguments,
                    environment,
                    directory,
                    Capabilities.none(),
                    List.of(),
                    true,
                    oomScoreAdjustment(),
                    appArmor(sandbox.config().getLinux().getSecurityContext()),
                    labels(sandbox).flatMap(Labels::process).orElse(null));
        }
    }

    private Optional<Labels> labels(SandboxFacts sandbox) {
        return selinux.map(all -> all.ofPod(sandbox.id(), sandbox.config()));
    }

    /** The parts of the sandbox's security context that say who its processes are. */
    private static LinuxContainerSecurityContext identity(SandboxFacts sandbox) {
        LinuxSandboxSecurityContext security = sandbox.config().getLinux().getSecurityContext();
        LinuxContainerSecurityContext.Builder identity =
                LinuxContainerSecurityContext.newBuilder()
                        .addAllSupplementalGroups(security.getSupplementalGroupsList())
                        .setSupplementalGroupsPolicyValue(
                                security.getSupplementalGroupsPolicyValue());
        if (security.hasRunAsUser()) {
            identity.setRunAsUser(security.getRunAsUser());
        }
        if (security.hasRunAsGroup()) {
            identity.setRunAsGroup(security.getRunAsGroup());
        }
        return identity.build();
    }

    private int oomScoreAdjustment() {
        return new ResourceLimits(node, 0, "linux.resources")
                .oomScoreAdjustment(
                        LinuxContainerResources.newBuilder()
                                .setOomScoreAdj(OOM_SCORE_ADJUSTMENT)
                                .build(),
                        ContainerSpecBuilder.oomScoreFloor(runtime.oomScoreAdjustment(), node));
    }

    private static List<RuntimeSpec.Mount> mounts(InitProgram program) {
        List<RuntimeSpec.Mount> mounts = new ArrayList<>();
        mounts.add(
                RuntimeSpec.Mount.of(
                        "/proc", "proc", "proc", List.of("nosuid", "noexec", "nodev")));
        mounts.add(
                RuntimeSpec.Mount.of(
                        "/dev",
                        "tmpfs",
                        "tmpfs",
                        List.of("nosuid", "noexec", "strictatime", "mode=755", "size=64k")));
        if (program instanceof InitProgram.StaticBinary binary) {
            mounts.add(
                    RuntimeSpec.Mount.bind(
                            BINARY_PLACE,
                            binary.binary().toString(),
                            List.of("bind", "rprivate", "ro", "nosuid", "nodev")));
        }
        return mounts;
    }

    private LinuxResources resources() {
        DevicePlan devices = new DevicePlan(files);
        devices.addUsualRules();
        return new LinuxResources(
                devices.rules(),
                null,
                new LinuxResources.Cpu(LEAST_CPU_SHARES, null, null, null, null),
                null,
                List.of(),
                Map.of());
    }

    private List<LinuxSpec.Namespace> namespaces(SandboxFacts sandbox) {
        List<LinuxSpec.Namespace> namespaces = new ArrayList<>();
        namespaces.add(new LinuxSpec.Namespace("mount", null));
        sandbox.userNamespace().ifPresent(path -> namespaces.add(joined("user", path)));
        namespaces.add(new LinuxSpec.Namespace("pid", null));
        sandbox.networkNamespace().ifPresent(path -> namespaces.add(joined("network", path)));
        sandbox.ipcNamespace().ifPresent(path -> namespaces.add(joined("ipc", path)));
        sandbox.utsNamespace().ifPresent(path -> namespaces.add(joined("uts", path)));
        if (node.cgroups().isUnified()) {
            namespaces.add(new LinuxSpec.Namespace("cgroup", null));
        }
        return namespaces;
    }

    private static LinuxSpec.Namespace joined(String type, Path path) {
        return new LinuxSpec.Namespace(type, path.toString());
    }

    // Under the same profile as the containers that ask for none, which may then look at PID 1.
    private @Nullable String appArmor(LinuxSandboxSecurityContext security) {
        List<String> warnings = new ArrayList<>();
        String profile =
                appArmorPolicy.profile(
                        requestedAppArmor(security),
                        SECURITY + "apparmor",
                        security.getPrivileged(),
                        security.hasApparmor(),
                        warnings);
        warnings.forEach(LOG::warn);
        return profile;
    }

    private Optional<LinuxSeccomp> seccomp(
            LinuxSandboxSecurityContext security, Optional<Path> handlerProfile) {
        return seccompPolicy.filter(
                requestedSeccomp(security), SECURITY + "seccomp", false, handlerProfile, List.of());
    }

    private static SecurityProfile requestedSeccomp(LinuxSandboxSecurityContext security) {
        return SeccompPolicy.requested(
                SECURITY + "seccomp",
                security.hasSeccomp(),
                security.getSeccomp(),
                security.getSeccompProfilePath(),
                ProfileType.RuntimeDefault);
    }

    private static SecurityProfile requestedAppArmor(LinuxSandboxSecurityContext security) {
        return SeccompPolicy.requested(
                SECURITY + "apparmor",
                security.hasApparmor(),
                security.getApparmor(),
                "",
                ProfileType.RuntimeDefault);
    }
}
