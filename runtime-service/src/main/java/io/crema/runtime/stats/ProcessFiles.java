package io.crema.runtime.stats;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import io.crema.runtime.state.ProcessIdentity;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;

/** What /proc tells of single processes: their start, open files and limits. */
final class ProcessFiles {
    /** No such process. */
    static final long NOT_RUNNING = -1;

    private static final Set<OpenFlag> DIRECTORY = Set.of(OpenFlag.READ_ONLY, OpenFlag.DIRECTORY);

    /** Descriptors of one process that are looked at for being sockets. */
    private static final int LINKS_MAX = 65_536;

    private final LinuxFiles files;
    private final KernelFiles kernel;
    private final Path proc;

    ProcessFiles(LinuxFiles files, KernelFiles kernel, Path proc) {
        this.files = files;
        this.kernel = kernel;
        this.proc = proc;
    }

    /** Open descriptors of processes, and how many of them are sockets. */
    record OpenFiles(long descriptors, long sockets) {}

    /**
     * Field 22 of /proc/pid/stat, in clock ticks.
     *
     * @return {@link #NOT_RUNNING} when there is no such process
     */
    static long startTicks(KernelText text, Path process) {
        if (!text.read(process.resolve("stat")) || !text.toLastInLine(')')) {
            return NOT_RUNNING;
        }
        return text.skipWords(20) ? text.number() : NOT_RUNNING;
    }

    /** Processes that end meanwhile count for nothing. */
    OpenFiles openFiles(List<Integer> pids) {
        long descriptors = 0;
        long sockets = 0;
        for (int pid : pids) {
            try (Descriptor directory = files.open(proc.resolve(pid + "/fd"), DIRECTORY, 0)) {
                List<String> names = files.list(directory);
                descriptors += names.size();
                int links = Math.min(names.size(), LINKS_MAX);
                for (int i = 0; i < links; i++) {
                    if (isSocket(directory, names.get(i))) {
                        sockets++;
                    }
                }
            } catch (LinuxException e) {
                // It has ended.
            }
        }
        return new OpenFiles(descriptors, sockets);
    }

    private boolean isSocket(Descriptor directory, String name) {
        try {
            return files.readLinkAt(directory, name).startsWith("socket:");
        } catch (LinuxException e) {
            return false; // closed meanwhile
        }
    }

    /** The soft limit of open files; empty when the process has ended or has none. */
    OptionalLong openFilesLimit(ProcessIdentity process) {
        Path directory = proc.resolve(Integer.toString(process.pid()));
        try (KernelText text = kernel.take()) {
            long limit = text.read(directory.resolve("limits")) ? softLimit(text) : -1;
            // Right after the reading, so right before it: see NetworkReader.
            return limit >= 0 && startTicks(text, directory) == process.startTicks()
                    ? OptionalLong.of(limit)
                    : OptionalLong.empty();
        }
    }

    private static long softLimit(KernelText text) {
        while (text.nextLine()) {
            if (text.lineStartsWith("Max open files") && text.skipWords(4)) {
                return text.wordIs("unlimited") ? -1 : text.number();
            }
        }
        return -1;
    }
}
