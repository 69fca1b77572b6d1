package io.crema.runtime.spec;

import io.crema.base.ErrorKind;
import io.crema.runtime.cgroup.CgroupHierarchies;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.OptionalInt;
import java.util.Set;

/** Finds the {@link NodeFacts} in /proc and /sys. */
public final class NodeProbe {
    private static final int KIB_PER_MIB = 1024;
    private static final int KIB_PER_GIB = 1024 * 1024;

    private final Path root;

    /**
     * @param root / but in tests
     */
    public NodeProbe(Path root) {
        this.root = root;
    }

    /**
     * @param lowestOomScoreAdjustment as {@link
     *     io.crema.oci.linux.LinuxProcesses#lowestOomScoreAdjustment} found it
     */
    public NodeFacts detect(OptionalInt lowestOomScoreAdjustment) {
        CgroupHierarchies cgroups = CgroupHierarchies.detect(root);
        String status = required("proc/self/status");
        return new NodeFacts(
                cgroups,
                swapAccounting(cgroups),
                hugePageSizes(),
                text("sys/module/apparmor/parameters/enabled").startsWith("Y"),
                Files.exists(root.resolve("sys/fs/selinux/enforce")),
                !field(status, "Seccomp:").isEmpty(),
                Capability.ofMask(hexadecimal(field(status, "CapBnd:"))),
                KernelVersion.parse(required("proc/sys/kernel/osrelease").strip()),
                architecture(System.getProperty("os.arch", "")),
                number(text("proc/self/oom_score_adj")),
                lowestOomScoreAdjustment,
                number(text("proc/sys/user/max_user_namespaces")) > 0);
    }

    static String architecture(String javaName) {
        return switch (javaName) {
            case "x86_64", "amd64" -> "amd64";
            case "aarch64", "arm64" -> "arm64";
            default -> javaName; // ppc64le, s390x, riscv64 and loongarch64 are called the same
        };
    }

    // The root cgroup of version 2 has no limits of its own, so any cgroup below it is asked.
    private boolean swapAccounting(CgroupHierarchies cgroups) {
        if (!cgroups.isUnified()) {
            return cgroups.mountOf("memory")
                    .filter(mount -> Files.exists(mount.resolve("memory.memsw.limit_in_bytes")))
                    .isPresent();
        }
        Path mount = cgroups.unified().orElseThrow();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(mount)) {
            for (Path entry : entries) {
                if (Files.exists(entry.resolve("memory.swap.max"))) {
                    return true;
                }
            }
        } catch (IOException e) {
            throw new PodException(ErrorKind.INTERNAL, "cannot list " + mount + ": " + e, e);
        }
        return false;
    }

    private Set<String> hugePageSizes() {
        Path directory = root.resolve("sys/kernel/mm/hugepages");
        Set<String> sizes = new HashSet<>();
        if (!Files.isDirectory(directory)) {
            return sizes;
        }
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory, "hugepages-*kB")) {
            for (Path entry : entries) {
                String name = entry.getFileName().toString();
                sizes.add(
                        pageSize(
                                Long.parseLong(
                                        name, "hugepages-".length(), name.length() - 2, 10)));
            }
        } catch (IOException | NumberFormatException e) {
            throw new PodException(ErrorKind.INTERNAL, "cannot read " + directory + ": " + e, e);
        }
        return sizes;
    }

    /** The name that the hugetlb controller gives a size: 64KB, 2MB, 1GB. */
    static String pageSize(long kibibytes) {
        if (kibibytes >= KIB_PER_GIB) {
            return kibibytes / KIB_PER_GIB + "GB";
        }
        return kibibytes >= KIB_PER_MIB ? kibibytes / KIB_PER_MIB + "MB" : kibibytes + "KB";
    }

    private String required(String file) {
        Path path = root.resolve(file);
        try {
            return Files.readString(path, StandardCharsets.ISO_8859_1);
        } catch (IOException e) {
            throw new PodException(ErrorKind.INTERNAL, "cannot read " + path + ": " + e, e);
        }
    }

    /** Empty when there is no such file. */
    private String text(String file) {
        Path path = root.resolve(file);
        return Files.exists(path) ? required(file).strip() : "";
    }

    private static String field(String status, String name) {
        int start = status.indexOf("\n" + name);
        if (start < 0) {
            return "";
        }
        int end = status.indexOf('\n', start + 1);
        return status.substring(start + 1 + name.length(), end < 0 ? status.length() : end).strip();
    }

    private static long hexadecimal(String text) {
        return text.isEmpty() ? 0 : Long.parseUnsignedLong(text, 16);
    }

    private static int number(String text) {
        return text.isEmpty() ? 0 : Integer.parseInt(text);
    }
}
