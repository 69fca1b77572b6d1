package io.crema.server;

import io.crema.base.CremaException;
import io.crema.conf.CremaConfiguration;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.runtime.cgroup.CgroupHierarchies;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** Says in plain words what this node lacks to run pods, and what to do about each. */
final class NodeCheck {
    private static final int MIN_KERNEL_MAJOR = 5;
    private static final int MIN_KERNEL_MINOR = 6;
    private static final long LITTLE_SPACE_BYTES = 2L << 30;
    private static final long COMMAND_SECONDS = 10;

    /** How grave a finding is: FAIL means that no pod can run. */
    enum Grade {
        OK,
        WARN,
        FAIL
    }

    /**
     * @param remedy empty when there is nothing to do
     */
    record Finding(Grade grade, String subject, String detail, String remedy) {}

    private final List<Finding> findings = new ArrayList<>();

    private NodeCheck() {}

    static NodeCheck of(CremaConfiguration configuration) {
        NodeCheck check = new NodeCheck();
        check.root();
        check.kernel();
        check.cgroups(configuration);
        check.programs(configuration);
        check.network(configuration);
        check.security();
        check.disk(configuration);
        return check;
    }

    static boolean isRoot() {
        return "root".equals(System.getProperty("user.name"));
    }

    boolean hasFailures() {
        return findings.stream().anyMatch(finding -> finding.grade() == Grade.FAIL);
    }

    String toText() {
        StringBuilder text = new StringBuilder();
        for (Finding finding : findings) {
            text.append(
                    "%-4s %-22s %s%n"
                            .formatted(finding.grade(), finding.subject(), finding.detail()));
            if (!finding.remedy().isEmpty()) {
                text.append("     %-22s -> %s%n".formatted("", finding.remedy()));
            }
        }
        return text.append(
                        hasFailures()
                                ? "This node cannot run pods yet.\n"
                                : "This node can run pods.\n")
                .toString();
    }

    String toJson() {
        return new String(
                        ServerJson.write(
                                findings.stream()
                                        .map(f ->
                                                Map.of(
                                                        "grade",
                                                        f.grade().name(),
                                                        "subject",
                                                        f.subject(),
                                                        "detail",
                                                        f.detail(),
                                                        "remedy",
                                                        f.remedy()))
                                        .toList()),
                        java.nio.charset.StandardCharsets.UTF_8)
                + "\n";
    }

    private void root() {
        if (isRoot()) {
            ok("root", "runs as root");
        } else {
            fail("root", "does not run as root", "start it with sudo or as a system service");
        }
    }

    private void kernel() {
        String release = read(Path.of("/proc/sys/kernel/osrelease")).orElse("unknown");
        String[] parts = release.split("[.-]", 3);
        int major = number(parts, 0);
        int minor = number(parts, 1);
        if (major > MIN_KERNEL_MAJOR || (major == MIN_KERNEL_MAJOR && minor >= MIN_KERNEL_MINOR)) {
            ok("kernel", release);
        } else {
            fail("kernel", release + " lacks openat2 and pidfds", "boot a kernel of 5.6 or later");
        }
        if (read(Path.of("/proc/filesystems")).orElse("").contains("\toverlay")) {
            ok("overlay", "the kernel has overlayfs");
        } else {
            fail(
                    "overlay",
                    "the kernel has no overlayfs",
                    "modprobe overlay, and add it to /etc/modules");
        }
        for (String kind : List.of("net", "ipc", "uts", "pid", "mnt")) {
            if (!Files.exists(Path.of("/proc/self/ns", kind))) {
                fail(
                        "namespaces",
                        "the kernel has no " + kind + " namespaces",
                        "boot another kernel");
            }
        }
    }

    private void cgroups(CremaConfiguration configuration) {
        try {
            CgroupHierarchies hierarchies = CgroupHierarchies.detect(Path.of("/"));
            ok(
                    "cgroups",
                    "version "
                            + (hierarchies.isUnified() ? "2" : "1")
                            + ", driver "
                            + configuration.runtime().cgroupManager());
            for (String controller : List.of("memory", "cpu", "pids")) {
                if (!hierarchies.has(controller)) {
                    fail(
                            "cgroups",
                            "the controller " + controller + " is not there",
                            "enable it (kernel command line: cgroup_enable=" + controller + ")");
                }
            }
            if (!hierarchies.has("hugetlb")) {
                warn("cgroups", "no hugetlb controller: limits of huge pages are ignored", "");
            }
        } catch (CremaException e) {
            fail("cgroups", String.valueOf(e.getMessage()), "mount cgroup2 on /sys/fs/cgroup");
        }
    }

    private void programs(CremaConfiguration configuration) {
        configuration
                .runtime()
                .runtimes()
                .forEach((name, handler) -> {
                    Optional<Path> binary =
                            handler.path().or(() -> Programs.find(handler.program()));
                    boolean isDefault = name.equals(configuration.runtime().defaultRuntime());
                    if (binary.isPresent() && Files.isExecutable(binary.get())) {
                        ok("runtime " + name, binary.get() + ", " + version(binary.get()));
                    } else if (isDefault) {
                        fail(
                                "runtime " + name,
                                "the default OCI runtime is not installed",
                                "install the package " + handler.program());
                    } else {
                        warn(
                                "runtime " + name,
                                "is not installed",
                                "install it to use this handler");
                    }
                });
        program("conmon", Grade.FAIL, "install the package conmon (2.1 or later)");
        program(
                "catatonit",
                Grade.WARN,
                "pods with a shared PID namespace need it: install the package catatonit");
    }

    private void program(String name, Grade grade, String remedy) {
        Optional<Path> found = Programs.find(name);
        if (found.isPresent()) {
            ok(name, found.get() + ", " + version(found.get()));
        } else {
            add(grade, name, "is not installed", remedy);
        }
    }

    private void network(CremaConfiguration configuration) {
        Path directory = configuration.network().configurationDirectory();
        List<Path> files = list(directory, "*.{conf,conflist,json}");
        if (files.isEmpty()) {
            warn(
                    "CNI network",
                    "no configuration in " + directory,
                    "put one there (conf/files/10-crema-bridge.conflist is an example) or install a"
                            + " network add-on; until then only host-network pods run");
        } else {
            ok("CNI network", files.getFirst().toString());
        }
        boolean plugins =
                configuration.network().pluginDirectories().stream()
                        .anyMatch(place -> Files.isExecutable(place.resolve("bridge")));
        if (plugins) {
            ok("CNI plugins", configuration.network().pluginDirectories().toString());
        } else {
            warn(
                    "CNI plugins",
                    "no bridge plugin in " + configuration.network().pluginDirectories(),
                    "install the package containernetworking-plugins or set plugin_dirs");
        }
        if (Programs.find("iptables").isEmpty() && Programs.find("nft").isEmpty()) {
            warn(
                    "host ports",
                    "neither iptables nor nft is installed",
                    "install the package iptables");
        }
        if ("1".equals(read(Path.of("/proc/sys/net/ipv4/ip_forward")).orElse("1"))) {
            ok("ip_forward", "on");
        } else {
            warn(
                    "ip_forward",
                    "off: pods cannot leave the node",
                    "sysctl -w net.ipv4.ip_forward=1");
        }
    }

    private void security() {
        String status = read(Path.of("/proc/self/status")).orElse("");
        if (status.contains("Seccomp:")) {
            ok("seccomp", "the kernel filters system calls");
        } else {
            warn("seccomp", "the kernel has no seccomp: containers run unconfined", "");
        }
        if ("Y".equals(read(Path.of("/sys/module/apparmor/parameters/enabled")).orElse(""))) {
            ok("AppArmor", "enabled");
        } else {
            ok("AppArmor", "not there; profiles other than Localhost are ignored");
        }
        if (!isRoot()) {
            return;
        }
        Linux linux = JnaLinux.load();
        if (linux.lowestOomScoreAdjustment().orElse(-1000) > -999) {
            warn(
                    "oom_score_adj",
                    "this process may not lower it (no CAP_SYS_RESOURCE): lower values are clamped",
                    "grant CAP_SYS_RESOURCE to the service");
        }
    }

    private void disk(CremaConfiguration configuration) {
        Path root = configuration.storage().root();
        Path existing = root;
        while (existing.getParent() != null && !Files.exists(existing)) {
            existing = existing.getParent();
        }
        try {
            long free = Files.getFileStore(existing).getUsableSpace();
            String detail =
                    root
                            + " on "
                            + Files.getFileStore(existing).type()
                            + ", "
                            + (free >> 20)
                            + " MiB free";
            if (free < LITTLE_SPACE_BYTES) {
                warn("disk", detail, "free some space: images need it");
            } else {
                ok("disk", detail);
            }
        } catch (IOException e) {
            fail("disk", "cannot look at " + existing + ": " + e, "check the disk");
        }
    }

    private static String version(Path program) {
        try {
            Process process =
                    new ProcessBuilder(program.toString(), "--version")
                            .redirectErrorStream(true)
                            .start();
            process.getOutputStream().close();
            String text =
                    new String(
                            process.getInputStream().readNBytes(4096),
                            java.nio.charset.StandardCharsets.UTF_8);
            if (!process.waitFor(COMMAND_SECONDS, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
            return text.lines().findFirst().orElse("version unknown");
        } catch (IOException e) {
            return "does not start: " + e.getMessage();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return "version unknown";
        }
    }

    private static List<Path> list(Path directory, String glob) {
        List<Path> found = new ArrayList<>();
        if (Files.isDirectory(directory)) {
            try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory, glob)) {
                entries.forEach(found::add);
            } catch (IOException e) {
                return List.of();
            }
        }
        found.sort(null);
        return found;
    }

    private static Optional<String> read(Path file) {
        try {
            return Optional.of(Files.readString(file).strip());
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    private static int number(String[] parts, int index) {
        try {
            return index < parts.length ? Integer.parseInt(parts[index]) : 0;
        } catch (NumberFormatException e) {
            return 0;
        }
    }

    private void ok(String subject, String detail) {
        add(Grade.OK, subject, detail, "");
    }

    private void warn(String subject, String detail, String remedy) {
        add(Grade.WARN, subject, detail, remedy);
    }

    private void fail(String subject, String detail, String remedy) {
        add(Grade.FAIL, subject, detail, remedy);
    }

    private void add(Grade grade, String subject, String detail, String remedy) {
        findings.add(new Finding(grade, subject, detail, remedy));
    }
}
