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
        leaks.addAll(processes(node));
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
    private static List<String> processes(TestNode node) {
        List<String> found = new ArrayList<>();
        for (Path process : listed(Path.of("/proc"))) {
            if (!Character.isDigit(process.getFileName().toString().charAt(0))
                    || process.getFileName().toString().equals(Long.toString(node.daemonPid()))) {
                continue;
            }
            try {
                String command = Files.readString(process.resolve("cmdline")).replace('\0', ' ');
                if (command.contains(node.runDirectory() + "/") && !command.startsWith("nsenter")) {
                    found.add("process " + process.getFileName() + ": " + command);
                }
            } catch (IOException e) {
                // It ended meanwhile.
            }
        }
        return found;
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
