package io.crema.server.check;

import com.fasterxml.jackson.databind.JsonNode;
import io.crema.base.CremaException;
import io.crema.conf.CremaConfiguration;
import io.crema.conf.RuntimeConfiguration.CgroupManager;
import io.crema.conf.RuntimeHandlerConfiguration;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxMounts.MountFlag;
import io.crema.oci.linux.LinuxMounts.UnmountFlag;
import io.crema.runtime.cgroup.CgroupHierarchies;
import io.crema.server.base.ServerJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * Says in plain words what this node lacks to run pods, and what to do about each. Looks only,
 * except for one overlay mount that is tried and undone.
 */
public final class NodeCheck {
    /** openat2 and pidfds. */
    private static final int MIN_KERNEL_MAJOR = 5;

    private static final int MIN_KERNEL_MINOR = 6;
    private static final int MIN_CONMON_MAJOR = 2;
    private static final int MIN_CONMON_MINOR = 1;
    private static final long LITTLE_SPACE_BYTES = 2L << 30;
    private static final long LITTLE_INODES = 100_000;
    private static final int LOWEST_OOM_SCORE = -999;
    private static final int CAP_NET_ADMIN = 12;
    private static final int CAP_SYS_ADMIN = 21;
    private static final Pattern NUMBERS = Pattern.compile("(\\d+)\\.(\\d+)");

    private final Host host;
    private final CremaConfiguration configuration;
    private final KernelFeatures kernel;
    private final Findings findings = new Findings();

    private NodeCheck(CremaConfiguration configuration, Host host) {
        this.configuration = configuration;
        this.host = host;
        this.kernel = new KernelFeatures(host);
    }

    /** Checks this machine. */
    public static Findings of(CremaConfiguration configuration) {
        return of(configuration, Host.local());
    }

    static Findings of(CremaConfiguration configuration, Host host) {
        NodeCheck check = new NodeCheck(configuration, host);
        check.privileges();
        check.kernel();
        check.cgroups();
        check.runtimes();
        check.monitor();
        check.init();
        check.network();
        check.security();
        check.disk();
        return check.findings;
    }

    /** Whether this process may do what pods need. */
    public static boolean isRoot() {
        return Host.local().isRoot();
    }

    private void privileges() {
        if (!host.isRoot()) {
            findings.fail(
                    "root",
                    "this is not root; pods need mounts, namespaces and cgroups",
                    "run it with sudo or as a system service");
            return;
        }
        long effective = effectiveCapabilities();
        if ((effective >> CAP_SYS_ADMIN & 1) == 0 || (effective >> CAP_NET_ADMIN & 1) == 0) {
            findings.fail(
                    "root",
                    "this is root without CAP_SYS_ADMIN or CAP_NET_ADMIN",
                    "run it on the node itself or in a privileged container");
            return;
        }
        findings.ok("root", "yes");
    }

    private long effectiveCapabilities() {
        for (String line : host.read("/proc/self/status").orElse("").lines().toList()) {
            if (line.startsWith("CapEff:")) {
                return Long.parseUnsignedLong(line.substring(7).strip(), 16);
            }
        }
        return -1;
    }

    private void kernel() {
        String release = kernel.release();
        if (isAtLeast(release, MIN_KERNEL_MAJOR, MIN_KERNEL_MINOR)) {
            findings.ok("kernel", release);
        } else {
            findings.fail(
                    "kernel",
                    release + " is too old: openat2 and pidfds are missing",
                    "boot a kernel of " + MIN_KERNEL_MAJOR + "." + MIN_KERNEL_MINOR + " or later");
        }
        boolean active = host.read("/proc/filesystems").orElse("").contains("\toverlay");
        if (active || isThere(kernel.has("CONFIG_OVERLAY_FS", "overlay"))) {
            findings.ok("overlayfs", "yes");
        } else {
            findings.fail(
                    "overlayfs",
                    "this kernel has no overlay file system",
                    "modprobe overlay, and name it in /etc/modules");
        }
        List<String> missing = new ArrayList<>();
        for (String kind : List.of("net", "ipc", "uts", "pid", "mnt")) {
            if (!Files.exists(host.path("/proc/self/ns/" + kind))) {
                missing.add(kind);
            }
        }
        if (missing.isEmpty()) {
            findings.ok(
                    "namespaces",
                    Files.exists(host.path("/proc/self/ns/user"))
                            ? "net, ipc, uts, pid, mnt, user"
                            : "net, ipc, uts, pid, mnt; no user namespaces");
        } else {
            findings.fail(
                    "namespaces",
                    "this kernel lacks: " + String.join(", ", missing),
                    "boot a kernel with CONFIG_NAMESPACES");
        }
    }

    private void cgroups() {
        CgroupHierarchies hierarchies;
        try {
            hierarchies = CgroupHierarchies.detect(host.path("/"));
        } catch (CremaException e) {
            findings.fail(
                    "cgroups",
                    String.valueOf(e.getMessage()),
                    "mount cgroup2 on /sys/fs/cgroup, which systemd does by itself");
            return;
        }
        CgroupManager manager = configuration.runtime().cgroupManager();
        findings.ok(
                "cgroups",
                "version " + (hierarchies.isUnified() ? "2" : "1") + ", driver " + manager);
        Set<String> missing = new TreeSet<>();
        for (String controller : List.of("memory", "cpu", "pids")) {
            if (!hierarchies.has(controller)) {
                missing.add(controller);
            }
        }
        if (!missing.isEmpty()) {
            findings.fail(
                    "cgroups",
                    "missing controllers: " + String.join(", ", missing),
                    "enable them, for memory by cgroup_enable=memory on the kernel's command line");
        }
        if (!hierarchies.has("hugetlb")) {
            findings.warn("cgroups", "no controller hugetlb: limits of huge pages do nothing", "");
        }
        if (manager == CgroupManager.SYSTEMD
                && !Files.isDirectory(host.path("/run/systemd/system"))) {
            findings.fail(
                    "cgroups",
                    "cgroup_manager is systemd, but systemd does not run here",
                    "set cgroup_manager = \"cgroupfs\" in [crio.runtime], and the same for kubelet");
        }
    }

    private void runtimes() {
        String defaultName = configuration.runtime().defaultRuntime();
        configuration
                .runtime()
                .runtimes()
                .forEach((name, handler) -> runtime(name, handler, name.equals(defaultName)));
    }

    private void runtime(String name, RuntimeHandlerConfiguration handler, boolean isDefault) {
        String subject = "runtime " + name;
        Optional<Path> binary = handler.path().or(() -> host.program(handler.program()));
        String problem;
        if (binary.isEmpty()) {
            problem = handler.program() + " is not in PATH";
        } else if (!Files.isExecutable(binary.get())) {
            problem = binary.get() + " is not there or not executable";
        } else {
            Optional<String> version = host.version(binary.get());
            if (version.isPresent()) {
                findings.ok(
                        subject,
                        binary.get() + ", " + version.get() + (isDefault ? " (default)" : ""));
                return;
            }
            problem = binary.get() + " does not start";
        }
        String remedy = "install the package " + handler.program() + " or correct its runtime_path";
        if (isDefault) {
            findings.fail(subject, problem + ", and it is the default runtime", remedy);
        } else {
            findings.warn(subject, problem + ": pods of this handler are refused", remedy);
        }
    }

    private void monitor() {
        Optional<Path> configured = configuration.runtime().defaultHandler().monitorPath();
        Optional<Path> conmon = configured.or(() -> host.program("conmon"));
        String remedy =
                "install the package conmon (%d.%d or later) or correct monitor_path"
                        .formatted(MIN_CONMON_MAJOR, MIN_CONMON_MINOR);
        if (conmon.isEmpty() || !Files.isExecutable(conmon.get())) {
            findings.fail(
                    "conmon",
                    conmon.map(path -> path + " is not there or not executable")
                            .orElse("conmon is not in PATH"),
                    remedy);
            return;
        }
        String version = host.version(conmon.get()).orElse("does not start");
        if (isAtLeast(version, MIN_CONMON_MAJOR, MIN_CONMON_MINOR)) {
            findings.ok("conmon", conmon.get() + ", " + version);
        } else {
            findings.fail("conmon", conmon.get() + ": " + version, remedy);
        }
    }

    private void init() {
        Optional<Path> init =
                configuration.runtime().initPath().or(() -> host.program("catatonit"));
        if (init.isPresent() && Files.isExecutable(init.get())) {
            findings.ok("catatonit", init.get().toString());
        } else {
            findings.warn(
                    "catatonit",
                    init.map(path -> path + " is not there").orElse("is not in PATH")
                            + ": pods that share one PID namespace are refused",
                    "install the package catatonit or set init_path in [crema.runtime]");
        }
    }

    private void network() {
        feature("CONFIG_BRIDGE", "bridge", "bridge devices", "the bridge plugin");
        feature("CONFIG_VETH", "veth", "veth devices", "every plugin that joins pods to the node");
        if (!isThere(kernel.has("CONFIG_NF_TABLES", "nf_tables"))
                && !isThere(kernel.has("CONFIG_IP_NF_IPTABLES", "ip_tables"))
                && kernel.has("CONFIG_NF_TABLES", "nf_tables") != KernelFeatures.Answer.UNKNOWN) {
            findings.warn(
                    "packet filter",
                    "this kernel has neither nf_tables nor ip_tables: no host ports, no masquerade",
                    "boot a kernel with CONFIG_NF_TABLES");
        } else if (host.program("iptables").isEmpty() && host.program("nft").isEmpty()) {
            findings.warn(
                    "packet filter",
                    "neither iptables nor nft is installed: no host ports, no masquerade",
                    "install the packages iptables and nftables");
        } else {
            findings.ok("packet filter", "yes");
        }
        String forward = host.read("/proc/sys/net/ipv4/ip_forward").orElse("1");
        if (forward.equals("1")) {
            findings.ok("ip_forward", "on");
        } else {
            findings.warn(
                    "ip_forward",
                    "off: pods cannot reach anything beyond this node",
                    "sysctl -w net.ipv4.ip_forward=1, and the same in /etc/sysctl.d");
        }
        cni();
    }

    private void feature(String option, String module, String what, String who) {
        switch (kernel.has(option, module)) {
            case BUILT_IN -> findings.ok(what, "yes");
            case MODULE -> findings.ok(what, "yes, as the module " + module);
            case ABSENT ->
                    findings.warn(
                            what,
                            "this kernel has none, and " + who + " needs them",
                            "modprobe " + module + ", or boot a kernel with " + option);
            case UNKNOWN ->
                    findings.warn(what, "cannot tell: the kernel shows no configuration", "");
        }
    }

    private void cni() {
        Path directory = configuration.network().configurationDirectory();
        Optional<String> wanted = configuration.network().defaultNetwork();
        String none = "until then only host-network pods run";
        for (Path file : Host.list(directory, "*.{conf,conflist,json}")) {
            JsonNode network = network(file);
            if (network == null) {
                findings.warn("CNI network", file + " is not JSON and is passed over", "mend it");
                continue;
            }
            String name = network.path("name").asText();
            if (wanted.isPresent() && !wanted.get().equals(name)) {
                continue;
            }
            findings.ok("CNI network", name + " in " + file);
            plugins(network);
            return;
        }
        findings.warn(
                "CNI network",
                wanted.map(name -> "no network " + name).orElse("no network") + " in " + directory,
                "install a network add-on, or copy etc/10-crema-bridge.conflist there; " + none);
    }

    private static @Nullable JsonNode network(Path file) {
        try {
            JsonNode network = ServerJson.MAPPER.readTree(Files.readAllBytes(file));
            return network.isObject() ? network : null;
        } catch (IOException e) {
            return null;
        }
    }

    private void plugins(JsonNode network) {
        Set<String> types = new TreeSet<>();
        addTypes(types, network);
        network.path("plugins").forEach(plugin -> addTypes(types, plugin));
        List<Path> directories = configuration.network().pluginDirectories();
        Set<String> missing = new TreeSet<>();
        for (String type : types) {
            if (directories.stream()
                    .noneMatch(directory -> Files.isExecutable(directory.resolve(type)))) {
                missing.add(type);
            }
        }
        if (missing.isEmpty()) {
            findings.ok("CNI plugins", String.join(", ", types));
        } else {
            findings.warn(
                    "CNI plugins",
                    String.join(", ", missing)
                            + " not in "
                            + directories
                            + ": only host-network pods run",
                    "install the package containernetworking-plugins, and name its directory"
                            + " (Debian: /usr/lib/cni) in plugin_dirs of [crio.network]");
        }
    }

    private static void addTypes(Set<String> types, JsonNode plugin) {
        for (JsonNode type : List.of(plugin.path("type"), plugin.path("ipam").path("type"))) {
            // A name with a slash would be refused by the plugin chain as well.
            if (!type.asText().isEmpty() && !type.asText().contains("/")) {
                types.add(type.asText());
            }
        }
    }

    private void security() {
        if (host.read("/proc/sys/kernel/seccomp/actions_avail").isPresent()) {
            findings.ok("seccomp", "yes");
        } else {
            findings.warn(
                    "seccomp",
                    "this kernel has no seccomp: containers may make every system call",
                    "boot a kernel with CONFIG_SECCOMP_FILTER");
        }
        boolean apparmor =
                host.read("/sys/module/apparmor/parameters/enabled").orElse("").equals("Y");
        boolean selinux = Files.isDirectory(host.path("/sys/fs/selinux/booleans"));
        if (apparmor && host.program("apparmor_parser").isEmpty()) {
            findings.warn(
                    "access control",
                    "AppArmor is on, but its default profile cannot be loaded without"
                            + " apparmor_parser: containers run unconfined by it",
                    "install the package apparmor");
        } else {
            findings.ok(
                    "access control",
                    apparmor ? "AppArmor" : selinux ? "SELinux" : "neither AppArmor nor SELinux");
        }
        if (!host.isRoot()) {
            return;
        }
        Linux linux;
        try {
            linux = host.linux();
        } catch (RuntimeException | LinkageError e) {
            findings.fail(
                    "native calls",
                    "cannot be made: " + e.getMessage(),
                    "use a glibc of 2.34 or later and start crema by its bin/crema");
            return;
        }
        int lowest = linux.lowestOomScoreAdjustment().orElse(LOWEST_OOM_SCORE);
        if (lowest > LOWEST_OOM_SCORE) {
            findings.warn(
                    "oom_score_adj",
                    "cannot be set below "
                            + lowest
                            + " (no CAP_SYS_RESOURCE): lower values are raised to it",
                    "give the service CAP_SYS_RESOURCE; without it guaranteed pods are killed as"
                            + " readily as others when memory runs out");
        } else {
            findings.ok("oom_score_adj", "may be set freely");
        }
        overlayMount(linux);
    }

    /** Some file systems (FAT, NFS, an overlay) cannot hold an overlay's upper directory. */
    private void overlayMount(Linux linux) {
        Path place = existing(configuration.storage().root());
        try {
            Path trial = Files.createTempDirectory(place, ".crema-check-");
            try {
                for (String name : List.of("lower", "upper", "work", "merged")) {
                    Files.createDirectory(trial.resolve(name));
                }
                linux.mount(
                        "overlay",
                        trial.resolve("merged"),
                        "overlay",
                        EnumSet.noneOf(MountFlag.class),
                        "lowerdir=%1$s/lower,upperdir=%1$s/upper,workdir=%1$s/work"
                                .formatted(trial));
                linux.unmount(trial.resolve("merged"), EnumSet.of(UnmountFlag.DETACH));
                findings.ok("overlay mount", "works in " + place);
            } finally {
                for (String name :
                        List.of("merged", "work/work", "work/index", "work", "upper", "lower")) {
                    Files.deleteIfExists(trial.resolve(name));
                }
                Files.deleteIfExists(trial);
            }
        } catch (CremaException | IOException e) {
            findings.fail(
                    "overlay mount",
                    "does not work in " + place + ": " + e.getMessage(),
                    "put root on ext4, xfs (with ftype=1) or btrfs");
        }
    }

    private void disk() {
        Path root = configuration.storage().root();
        Path place = existing(root);
        try {
            var store = Files.getFileStore(place);
            long free = store.getUsableSpace();
            String detail = "%s on %s, %d MiB free".formatted(root, store.type(), free >> 20);
            if (free < LITTLE_SPACE_BYTES) {
                findings.warn("disk", detail, "make room: images need it");
            } else if (store.type().equals("tmpfs")) {
                findings.warn(
                        "disk",
                        detail + ": images and containers are gone after a reboot",
                        "put root on a disk");
            } else {
                findings.ok("disk", detail);
            }
            if (host.isRoot()) {
                long inodes = host.linux().fileSystemStatus(place).freeInodes();
                long all = host.linux().fileSystemStatus(place).inodes();
                // btrfs and others make inodes as needed and say zero.
                if (all > 0 && inodes < LITTLE_INODES) {
                    findings.warn(
                            "inodes", inodes + " free for " + root, "make room: images need them");
                }
            }
        } catch (CremaException | IOException e) {
            findings.fail("disk", "cannot look at " + place + ": " + e.getMessage(), "mend it");
        }
    }

    private static Path existing(Path path) {
        Path existing = path;
        while (existing.getParent() != null && !Files.isDirectory(existing)) {
            existing = existing.getParent();
        }
        return existing;
    }

    private static boolean isThere(KernelFeatures.Answer answer) {
        return switch (answer) {
            case BUILT_IN, MODULE -> true;
            case ABSENT, UNKNOWN -> false;
        };
    }

    private static boolean isAtLeast(String text, int major, int minor) {
        Matcher numbers = NUMBERS.matcher(text);
        if (!numbers.find()) {
            return false;
        }
        int foundMajor = Integer.parseInt(numbers.group(1));
        int foundMinor = Integer.parseInt(numbers.group(2));
        return foundMajor > major || (foundMajor == major && foundMinor >= minor);
    }
}
