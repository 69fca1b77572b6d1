package io.crema.runtime.spec;

import io.crema.base.Deadline;
import io.crema.conf.RuntimeConfiguration.CgroupManager;
import io.crema.conf.RuntimeConfiguration.OomScoreAdjustment;
import io.crema.conf.Ulimit;
import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.cri.v1.LinuxContainerSecurityContext;
import io.crema.cri.v1.Mount;
import io.crema.cri.v1.SecurityProfile;
import io.crema.cri.v1.SecurityProfile.ProfileType;
import io.crema.oci.linux.Linux;
import io.crema.oci.spec.ContainerProcess;
import io.crema.oci.spec.ContainerProcess.Capabilities;
import io.crema.oci.spec.ContainerProcess.Rlimit;
import io.crema.oci.spec.LinuxResources;
import io.crema.oci.spec.LinuxSeccomp;
import io.crema.oci.spec.LinuxSpec;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.oci.spec.RuntimeSpec.Hook;
import io.crema.oci.spec.SpecJson;
import io.crema.oci.spec.UnsignedLong;
import io.crema.runtime.cdi.CdiDevices;
import io.crema.runtime.cgroup.CgroupPlacement;
import io.crema.runtime.hooks.HookDirectories;
import io.crema.runtime.selinux.Labels;
import io.crema.runtime.selinux.SelinuxLabels;
import io.crema.runtime.state.PodException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Builds the OCI specification of a container from its CRI request, one step per concern; each
 * concern's rules are in a class of its own. A field that cannot be honoured is refused by name,
 * never left out. Touches the container's root file system (working directory, image volumes) and
 * the host (missing mount sources), nothing else. Thread safe; replaced when the configuration is
 * reloaded.
 */
public final class ContainerSpecBuilder {
    private static final String SECURITY = "linux.security_context.";

    private final Linux linux;
    private final NodeFacts node;
    private final SpecSettings settings;
    private final CgroupPlacement placement;
    private final CapabilitySets capabilitySets;
    private final SeccompPolicy seccompPolicy;
    private final AppArmorPolicy appArmorPolicy;
    private final CdiDevices cdiDevices;
    private final HookDirectories hooks;
    private final Optional<SelinuxLabels> selinux;

    /** For a node without SELinux. */
    public ContainerSpecBuilder(
            Linux linux, NodeFacts node, SpecSettings settings, AppArmorProfiles profiles) {
        this(linux, node, settings, profiles, Optional.empty());
    }

    /**
     * @param selinux absent where nothing is labelled
     */
    public ContainerSpecBuilder(
            Linux linux,
            NodeFacts node,
            SpecSettings settings,
            AppArmorProfiles profiles,
            Optional<SelinuxLabels> selinux) {
        this.selinux = selinux.filter(SelinuxLabels::isEnabled);
        this.linux = linux;
        this.node = node;
        this.settings = settings;
        this.placement = new CgroupPlacement(settings.runtime().cgroupManager());
        this.capabilitySets =
                new CapabilitySets(
                        CapabilitySets.parseAll(settings.security().defaultCapabilities()),
                        node.boundingCapabilities(),
                        settings.security().inheritableCapabilities());
        this.seccompPolicy =
                new SeccompPolicy(
                        node,
                        settings.security().seccompProfile(),
                        settings.security().privilegedSeccompProfile());
        this.cdiDevices = new CdiDevices(linux, settings.devices().cdiSpecDirectories());
        this.hooks = new HookDirectories(settings.devices().hooksDirectories());
        this.appArmorPolicy =
                new AppArmorPolicy(
                        node.appArmor(), profiles, settings.security().appArmorProfile());
    }

    /**
     * Reads the configured seccomp profile, loads the AppArmor profile, and whatever else the first
     * container would wait for.
     *
     * @throws PodException when the configured profile is missing or broken
     */
    public void warmUp() {
        seccompPolicy.warmUp();
        appArmorPolicy.warmUp();
        SpecJson.warmUp();
    }

    /**
     * @param deadline for giving volumes SELinux labels, which is all that may take long
     * @throws PodException INVALID_ARGUMENT naming the field that is wrong, UNIMPLEMENTED naming
     *     the one that is known but not built, FAILED_PRECONDITION for what this node cannot do
     */
    public BuiltSpec build(SpecRequest request, Deadline deadline) {
        refuseUnbuilt(request);
        try (RootDirectory root = new RootDirectory(linux, request.rootFileSystem())) {
            return build(request, root, deadline);
        }
    }

    // All that can be refused without touching anything comes before the first touch.
    private BuiltSpec build(SpecRequest request, RootDirectory root, Deadline deadline) {
        ContainerConfig config = request.config();
        LinuxContainerSecurityContext security = request.security();
        List<String> warnings = new ArrayList<>();
        List<GeneratedFile> files = new ArrayList<>();
        boolean readOnlyRoot =
                security.getReadonlyRootfs() || settings.runtime().readOnlyRootFileSystems();

        StopSignal stopSignal =
                StopSignal.choose(config.getStopSignal(), request.image().stopSignal());
        NamespacePlan namespaces = new NamespacePlan(request, node);
        List<LinuxSpec.Namespace> namespaceList = namespaces.list();
        Optional<UserMapping> users = request.sandbox().users();
        ResourceLimits limits =
                new ResourceLimits(
                        node,
                        request.handler().configuration().minimumMemoryBytes(),
                        "linux.resources");
        LinuxResources resources =
                limits.translate(requestedResources(request), settings.runtime().pidsLimit());
        int oomScoreAdjustment =
                limits.oomScoreAdjustment(
                        config.getLinux().getResources(),
                        oomScoreFloor(settings.runtime().oomScoreAdjustment(), node));
        UserResolver accounts = new UserResolver(root, security, request.imageName());
        ResolvedUser user = accounts.resolve(request.image().user());
        if (users.isPresent() && !users.get().hasUser(user.uid(), user.gid())) {
            throw PodException.invalid(
                    "the user "
                            + user.uid()
                            + ":"
                            + user.gid()
                            + " is not among the "
                            + users.get().uids().size()
                            + " users that the pod's userns_options map");
        }
        Optional<Labels> labels = labels(request);
        String fileLabel = labels.map(Labels::files).orElse("");
        ContainerProcess process =
                process(
                        request,
                        user,
                        oomScoreAdjustment,
                        labels.flatMap(Labels::process).orElse(null),
                        warnings);
        Optional<LinuxSeccomp> seccomp = seccomp(request, process);
        DevicePlan devices = devices(request);
        CdiDevices.Chosen chosenDevices = cdiDevices.choose(config);
        List<String> masked =
                protectedPaths(request, "masked_paths", security.getMaskedPathsList());
        List<String> readOnly =
                protectedPaths(request, "readonly_paths", security.getReadonlyPathsList());

        MountPlan mounts = new MountPlan(request, settings, node, linux, fileLabel, deadline);
        List<Mount> effectiveMounts = mounts.translate();
        List<RuntimeSpec.Mount> defaultMounts =
                new DefaultMounts(
                                request,
                                settings,
                                namespaces.ownIpc(),
                                ProcessCommand.isSystemd(process.args()),
                                readOnlyRoot)
                        .list(mounts::isTaken, mounts::isCovered, files);
        if (!mounts.isCovered("/etc/passwd") && !mounts.isCovered("/etc/group")) {
            defaultMounts.addAll(
                    completedAccounts(request, accounts, user, process.cwd(), readOnlyRoot, files));
        }
        defaultMounts.addAll(
                new DeclaredVolumes(linux, request, root, user, fileLabel)
                        .prepare(settings.imageVolumes(), mounts::isCovered));
        root.makeDirectories(
                process.cwd(),
                "the working directory",
                users.map(all -> all.hostUid(0)).orElse(0),
                users.map(all -> all.hostGid(0)).orElse(0));
        root.linkIfAbsent("etc", "mtab", "/proc/mounts");

        LinuxSpec linuxSpec =
                new LinuxSpec(
                        users.map(UserMapping::uids).stream().toList(),
                        users.map(UserMapping::gids).stream().toList(),
                        ownSysctls(request, namespaces),
                        resources.withDevices(devices.rules()),
                        placement.specPath(request.sandbox().cgroupParent(), request.id().value()),
                        namespaceList,
                        devices.nodes(),
                        seccomp.orElse(null),
                        mounts.rootPropagation(),
                        masked,
                        readOnly,
                        fileLabel.isEmpty() ? null : fileLabel);
        RuntimeSpec spec =
                new RuntimeSpec(
                        RuntimeSpec.VERSION,
                        process,
                        new RuntimeSpec.Root(request.rootFileSystem().toString(), readOnlyRoot),
                        request.sandbox().utsNamespace().isPresent()
                                ? request.sandbox().hostname()
                                : null,
                        mounts.inOrder(defaultMounts),
                        null,
                        annotations(request),
                        linuxSpec);
        return new BuiltSpec(
                hooked(
                        chosenDevices.applyTo(spec, request.handler().features().netDevices()),
                        request),
                user.forStatus(),
                effectiveMounts,
                stopSignal,
                effective(config.getLinux().getResources(), resources, oomScoreAdjustment),
                files,
                warnings);
    }

    /** With the hooks that are for such a container. */
    private RuntimeSpec hooked(RuntimeSpec spec, SpecRequest request) {
        return spec.withHooks(
                hooks.of(
                        spec.process().args().getFirst(),
                        annotationsForHooks(request),
                        request.config().getMountsCount() > 0));
    }

    /** The hooks that are to change the specification of such a container. */
    public List<Hook> precreateHooks(RuntimeSpec spec, SpecRequest request) {
        return hooks.precreate(
                spec.process().args().getFirst(),
                annotationsForHooks(request),
                request.config().getMountsCount() > 0);
    }

    private static Map<String, String> annotationsForHooks(SpecRequest request) {
        Map<String, String> annotations =
                new TreeMap<>(request.sandbox().config().getAnnotationsMap());
        annotations.putAll(request.config().getAnnotationsMap());
        return annotations;
    }

    private ContainerProcess process(
            SpecRequest request,
            ResolvedUser user,
            int oomScoreAdjustment,
            @Nullable String processLabel,
            List<String> warnings) {
        ContainerConfig config = request.config();
        LinuxContainerSecurityContext security = request.security();
        List<String> arguments =
                ProcessCommand.arguments(config, request.image(), request.imageName());
        Environment environment =
                Environment.of(
                        settings.runtime().defaultEnvironment(),
                        request.image().environment(),
                        config.getEnvsList(),
                        request.sandbox().hostname());
        if (config.getTty()) {
            environment.putIfAbsent("TERM", "xterm");
        }
        if (ProcessCommand.isSystemd(arguments)) {
            environment.putIfAbsent("container", "crema");
        }
        environment.home(user.home(), request.imageName());
        Capabilities capabilities =
                request.isPrivileged()
                        ? capabilitySets.privileged()
                        : capabilitySets.of(security.getCapabilities());
        SecurityProfile appArmor =
                SeccompPolicy.requested(
                        SECURITY + "apparmor",
                        security.hasApparmor(),
                        security.getApparmor(),
                        security.getApparmorProfile(),
                        ProfileType.RuntimeDefault);
        return new ContainerProcess(
                config.getTty(),
                user.forProcess(request.podAnnotations().umask()),
                arguments,
                environment.entries(),
                ProcessCommand.workingDirectory(config, request.image()),
                capabilities,
                rlimits(),
                security.getNoNewPrivs(),
                oomScoreAdjustment,
                appArmorPolicy.profile(
                        appArmor,
                        SECURITY + "apparmor",
                        request.isPrivileged(),
                        security.hasApparmor() || !security.getApparmorProfile().isEmpty(),
                        warnings),
                processLabel);
    }

    private Optional<Labels> labels(SpecRequest request) {
        return selinux.map(all ->
                all.ofContainer(
                        request.sandbox().id(),
                        request.sandbox().config(),
                        request.security(),
                        ProcessCommand.isSystemd(
                                ProcessCommand.arguments(
                                        request.config(), request.image(), request.imageName()))));
    }

    /** With the files of cgroup version 2 that the pod's annotations add. */
    private static LinuxContainerResources requestedResources(SpecRequest request) {
        ContainerConfig config = request.config();
        return config.getLinux().getResources().toBuilder()
                .putAllUnified(request.podAnnotations().unified(config.getMetadata().getName()))
                .build();
    }

    private Map<String, String> ownSysctls(SpecRequest request, NamespacePlan namespaces) {
        return namespaces.ownIpc()
                ? OwnIpcSysctls.of(request.sandbox().config(), settings.runtime().defaultSysctls())
                : Map.of();
    }

    private void refuseUnbuilt(SpecRequest request) {
        ContainerConfig config = request.config();
        if (config.hasWindows()) {
            throw PodException.invalid("windows: this is a Linux node");
        }
        if (request.isPrivileged()
                && !request.sandbox().config().getLinux().getSecurityContext().getPrivileged()) {
            throw PodException.invalid(
                    SECURITY + "privileged: a privileged container needs a privileged pod sandbox");
        }
    }

    /** The devices that can be had by name. */
    public CdiDevices cdiDevices() {
        return cdiDevices;
    }

    public static int oomScoreFloor(OomScoreAdjustment mode, NodeFacts node) {
        return switch (mode) {
            case DETECT -> node.lowestOomScoreAdjustment().orElse(Integer.MIN_VALUE);
            case CLAMP -> node.oomScoreAdjustment();
            case VERBATIM -> Integer.MIN_VALUE;
        };
    }

    private Optional<LinuxSeccomp> seccomp(SpecRequest request, ContainerProcess process) {
        LinuxContainerSecurityContext security = request.security();
        SecurityProfile profile =
                SeccompPolicy.requested(
                        SECURITY + "seccomp",
                        security.hasSeccomp(),
                        security.getSeccomp(),
                        security.getSeccompProfilePath(),
                        ProfileType.Unconfined);
        return seccompPolicy.filter(
                profile,
                SECURITY + "seccomp",
                request.isPrivileged(),
                request.handler().configuration().seccompProfile(),
                process.capabilities().bounding());
    }

    private DevicePlan devices(SpecRequest request) {
        DevicePlan devices = new DevicePlan(linux);
        if (settings.devices().ownershipFromSecurityContext()) {
            LinuxContainerSecurityContext security = request.security();
            devices.ownedBy(
                    security.hasRunAsUser() ? security.getRunAsUser().getValue() : null,
                    security.hasRunAsGroup() ? security.getRunAsGroup().getValue() : null);
        }
        boolean hasHostDevices =
                request.isPrivileged()
                        && !request.handler().configuration().privilegedWithoutHostDevices();
        if (hasHostDevices) {
            devices.addHostDevices();
        } else {
            devices.addUsualRules();
        }
        for (String device : settings.devices().additionalDevices()) {
            devices.addConfigured(device);
        }
        request.podAnnotations()
                .devices()
                .ifPresent(text -> devices.addAnnotated(text, settings.devices().allowedDevices()));
        for (int i = 0; i < request.config().getDevicesCount(); i++) {
            devices.add("devices[" + i + "]", request.config().getDevices(i), hasHostDevices);
        }
        return devices;
    }

    /** A user that the image does not know gets a line in files that cover the image's. */
    private static List<RuntimeSpec.Mount> completedAccounts(
            SpecRequest request,
            UserResolver users,
            ResolvedUser user,
            String home,
            boolean readOnlyRoot,
            List<GeneratedFile> files) {
        List<RuntimeSpec.Mount> mounts = new ArrayList<>();
        String mode = readOnlyRoot ? "ro" : "rw";
        List<String> options = List.of("bind", "rprivate", mode, "nosuid", "noexec", "nodev");
        Optional<byte[]> passwd = users.completedPasswd(user, home);
        if (passwd.isPresent()) {
            Path file = request.bundle().resolve("passwd");
            files.add(new GeneratedFile(file, passwd.get()));
            mounts.add(RuntimeSpec.Mount.bind("/etc/passwd", file.toString(), options));
        }
        Optional<byte[]> group = users.completedGroup(user);
        if (group.isPresent()) {
            Path file = request.bundle().resolve("group");
            files.add(new GeneratedFile(file, group.get()));
            mounts.add(RuntimeSpec.Mount.bind("/etc/group", file.toString(), options));
        }
        return mounts;
    }

    private List<Rlimit> rlimits() {
        List<Rlimit> rlimits = new ArrayList<>();
        for (Ulimit ulimit : settings.runtime().defaultUlimits()) {
            // -1, unlimited, has all bits set, as RLIM_INFINITY has.
            rlimits.add(
                    new Rlimit(
                            ulimit.rlimit(),
                            UnsignedLong.of(ulimit.hard()),
                            UnsignedLong.of(ulimit.soft())));
        }
        return rlimits;
    }

    // Empty lists mean no protection: that is how the proc mount type Unmasked arrives.
    private static List<String> protectedPaths(
            SpecRequest request, String field, List<String> paths) {
        if (request.isPrivileged()) {
            return List.of();
        }
        for (String path : paths) {
            HostPaths.checked(SECURITY + field, path);
        }
        return paths;
    }

    /**
     * What the OCI runtime sees of annotations: those that the handler allows, because runtimes act
     * on some (crun writes files of the node), and what virtual machine runtimes need to tell a pod
     * from its containers.
     */
    private SortedMap<String, String> annotations(SpecRequest request) {
        SortedMap<String, String> annotations = new TreeMap<>();
        annotations.putAll(request.handler().configuration().defaultAnnotations());
        for (Map<String, String> source :
                List.of(
                        request.sandbox().config().getAnnotationsMap(),
                        request.config().getAnnotationsMap())) {
            source.forEach((name, value) -> {
                if (request.handler().configuration().allowedAnnotations().stream()
                        .anyMatch(name::startsWith)) {
                    annotations.put(name, value);
                }
            });
        }
        if (placement.driver() == CgroupManager.SYSTEMD) {
            annotations.putAll(ScopeProperties.of(request.config().getAnnotationsMap()));
        }
        annotations.put("io.kubernetes.cri.container-type", "container");
        annotations.put("io.kubernetes.cri.sandbox-id", request.sandbox().id().value());
        return annotations;
    }

    private static LinuxContainerResources effective(
            LinuxContainerResources requested, LinuxResources resources, int oomScoreAdjustment) {
        LinuxContainerResources.Builder effective =
                requested.toBuilder().setOomScoreAdj(oomScoreAdjustment).clearHugepageLimits();
        for (var limit : requested.getHugepageLimitsList()) {
            boolean isApplied =
                    resources.hugepageLimits().stream()
                            .anyMatch(one -> one.pageSize().equals(limit.getPageSize()));
            if (isApplied) {
                effective.addHugepageLimits(limit);
            }
        }
        return effective.build();
    }
}
