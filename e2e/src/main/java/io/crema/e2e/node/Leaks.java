package io.crema.e2e.node;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** What a node still holds although no pod exists: mounts, processes, pins, cgroups, addresses. */
final class Leaks {
    private Leaks() {}

    static List<String> of(TestNode node) {
        List<String> leaks = new ArrayList<>();
        for (Path place : List.of(node.directory(), node.runDirectory())) {
            mountsBelow(place).forEach(mount -> leaks.add("mount " + mount));
        }
        for (long process : helpers(node)) {
            leaks.add("process " + process + ": " + commandLine(Long.toString(process)));
        }
        listed(node.runDirectory().resolve("ns"))
                .forEach(pin -> leaks.add("namespace pins " + pin));
        listed(node.runDirectory().resolve("containers")).forEach(b -> leaks.add("bundle " + b));
        listed(node.runDirectory().resolve("exits")).forEach(e -> leaks.add("exit file " + e));
        listed(node.runDirectory().resolve("runc")).forEach(s -> leaks.add("runc state " + s));
        listed(node.directory().resolve("root/containers"))
                .forEach(c -> leaks.add("container " + c));
        listed(node.directory().resolve("root/sandboxes")).forEach(c -> leaks.add("sandbox " + c));
        for (Path lease : listed(node.directory().resolve("ipam/e2e"))) {
            if (Character.isDigit(lease.getFileName().toString().charAt(0))) {
                leaks.add("address " + lease.getFileName());
            }
        }
        leaks.addAll(cgroups(node));
        return leaks;
    }

    static List<String> mountsBelow(Path place) {
        try {
            List<String> found = new ArrayList<>();
            for (String line : Files.readAllLines(Path.of("/proc/self/mounts"))) {
                String mountPoint = line.split(" ", -1)[1];
                if (mountPoint.startsWith(place + "/")) {
                    found.add(mountPoint);
                }
            }
            return found;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Processes other than the daemon whose command line names the node. */
    static List<Long> helpers(TestNode node) {
        List<Long> found = new ArrayList<>();
        for (Path process : listed(Path.of("/proc"))) {
            String name = process.getFileName().toString();
            if (Character.isDigit(name.charAt(0))
                    && !name.equals(Long.toString(node.daemonPid()))
                    && commandLine(name).contains(node.runDirectory() + "/")) {
                found.add(Long.valueOf(name));
            }
        }
        return found;
    }

    /** Those that name the node's run directory, and those in its cgroups. */
    static List<Long> processes(TestNode node) {
        List<Long> found = new ArrayList<>();
        for (Path process : listed(Path.of("/proc"))) {
            String name = process.getFileName().toString();
            if (Character.isDigit(name.charAt(0))
                    && (commandLine(name).contains(node.runDirectory() + "/")
                            || cgroupsOf(name).contains("/" + node.name() + "/"))) {
                found.add(Long.valueOf(name));
            }
        }
        return found;
    }

    private static String cgroupsOf(String process) {
        try {
            return Files.readString(Path.of("/proc", process, "cgroup"));
        } catch (IOException e) {
            return ""; // It ended meanwhile.
        }
    }

    private static String commandLine(String process) {
        try {
            return Files.readString(Path.of("/proc", process, "cmdline")).replace('\0', ' ');
        } catch (IOException e) {
            return ""; // It ended meanwhile.
        }
    }

    private static List<String> cgroups(TestNode node) {
        List<String> found = new ArrayList<>();
        for (Path hierarchy : listed(Path.of("/sys/fs/cgroup"))) {
            Path parent = hierarchy.resolve(node.name());
            if (!Files.isDirectory(parent)) {
                continue;
            }
            try (Stream<Path> tree = Files.walk(parent, 4, new FileVisitOption[0])) {
                tree.filter(path -> Files.isDirectory(path) && !path.equals(parent))
                        .forEach(path -> found.add("cgroup " + path));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return found;
    }

    private static List<Path> listed(Path directory) {
        List<Path> found = new ArrayList<>();
        if (Files.isDirectory(directory)) {
            try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
                entries.forEach(found::add);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return found;
    }
}
