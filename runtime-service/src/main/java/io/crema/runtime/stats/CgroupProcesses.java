package io.crema.runtime.stats;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/**
 * Lists the processes of a cgroup and of those inside it, which a container with an init system of
 * its own makes.
 */
final class CgroupProcesses {
    private static final int CGROUPS_MAX = 1024;
    private static final int PROCESSES_MAX = 100_000;

    private final KernelFiles kernel;

    CgroupProcesses(KernelFiles kernel) {
        this.kernel = kernel;
    }

    List<Integer> of(Path cgroup) {
        List<Integer> pids = new ArrayList<>();
        Deque<Path> ahead = new ArrayDeque<>();
        ahead.add(cgroup);
        int seen = 0;
        try (KernelText text = kernel.take()) {
            while (!ahead.isEmpty() && seen < CGROUPS_MAX && pids.size() < PROCESSES_MAX) {
                Path directory = ahead.remove();
                seen++;
                if (text.readList(directory.resolve("cgroup.procs"))) {
                    while (text.nextLine() && text.nextWord()) {
                        pids.add((int) text.number());
                    }
                }
                addInner(directory, ahead);
            }
        }
        return pids;
    }

    private static void addInner(Path directory, Deque<Path> ahead) {
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
            for (Path entry : entries) {
                if (ahead.size() < CGROUPS_MAX
                        && Files.isDirectory(entry, LinkOption.NOFOLLOW_LINKS)) {
                    ahead.add(entry);
                }
            }
        } catch (IOException | DirectoryIteratorException e) {
            return; // removed meanwhile
        }
    }
}
