package io.crema.server.metrics;

import io.crema.runtime.RuntimeCounters;
import io.crema.server.metrics.Exposition.Kind;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/** What happens to containers behind the calls, and this process itself. */
final class NodeMetrics {
    /** The unit of times in /proc; fixed for all of Linux. */
    private static final double TICKS_PER_SECOND = 100;

    private static final Path PROC = Path.of("/proc");

    private final RuntimeCounters runtime;
    private final String defaultRuntime;

    NodeMetrics(RuntimeCounters runtime, String defaultRuntime) {
        this.runtime = runtime;
        this.defaultRuntime = defaultRuntime;
    }

    void writeTo(Exposition page) {
        page.crio(
                        "default_runtime",
                        Kind.GAUGE,
                        "The default runtime handler; the value is always 1.")
                .value(1, "runtime", defaultRuntime);
        page.crio(
                        "containers_oom_total",
                        Kind.COUNTER,
                        "Containers that the kernel killed because they ran out of memory.")
                .value(runtime.outOfMemory());
        page.crio(
                "containers_oom_count_total",
                Kind.COUNTER,
                "The same by the container's name, for the last 256 names.");
        byName(page, runtime.outOfMemoryByName());
        page.crio(
                "containers_stopped_monitor_count",
                Kind.COUNTER,
                "Containers whose monitor ended before them, by name, for the last 256 names.");
        byName(page, runtime.lostMonitorsByName());
        page.crio(
                        "containers_events_dropped_total",
                        Kind.COUNTER,
                        "Events that callers of GetContainerEvents lost because they were too"
                                + " slow.")
                .value(runtime.droppedEvents());
        if (page.wants("processes_defunct")) { // it asks about each process of the node
            page.crio("processes_defunct", Kind.GAUGE, "Defunct processes on this node.")
                    .value(defunct());
        }
        process(page);
    }

    private static void byName(Exposition page, Map<String, Long> counts) {
        new TreeMap<>(counts).forEach((name, count) -> page.value(count, "name", name));
    }

    private static long defunct() {
        long count = 0;
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(PROC, "[0-9]*")) {
            for (Path process : processes) {
                if (state(process) == 'Z') {
                    count++;
                }
            }
        } catch (IOException e) {
            // Without /proc nothing here would run.
        }
        return count;
    }

    private static char state(Path process) {
        String[] fields = stat(process);
        return fields.length == 0 || fields[0].isEmpty() ? ' ' : fields[0].charAt(0);
    }

    /** What follows the program's name in proc/[pid]/stat; empty when the process is gone. */
    private static String[] stat(Path process) {
        try {
            String text = Files.readString(process.resolve("stat"), StandardCharsets.ISO_8859_1);
            return text.substring(text.lastIndexOf(')') + 2).split(" ");
        } catch (IOException | IndexOutOfBoundsException e) {
            return new String[0];
        }
    }

    private static void process(Exposition page) {
        String[] stat = stat(PROC.resolve("self"));
        if (stat.length < 22) {
            return;
        }
        double cpu = (Long.parseLong(stat[11]) + Long.parseLong(stat[12])) / TICKS_PER_SECOND;
        page.metric(
                        "process_cpu_seconds_total",
                        Kind.COUNTER,
                        "Processor time of this process, in seconds.")
                .value(cpu);
        page.metric("process_resident_memory_bytes", Kind.GAUGE, "Resident memory of this process.")
                .value(residentBytes());
        page.metric(
                        "process_start_time_seconds",
                        Kind.GAUGE,
                        "When this process was started, in seconds since 1970.")
                .value(
                        ProcessHandle.current()
                                        .info()
                                        .startInstant()
                                        .map(start -> start.toEpochMilli())
                                        .orElse(0L)
                                / 1e3);
        page.metric("process_open_fds", Kind.GAUGE, "Open file descriptors of this process.")
                .value(openDescriptors());
    }

    private static long residentBytes() {
        try {
            for (String line : Files.readAllLines(PROC.resolve("self/status"))) {
                if (line.startsWith("VmRSS:")) {
                    return Long.parseLong(line.substring(6, line.length() - 2).strip()) << 10;
                }
            }
        } catch (IOException | NumberFormatException e) {
            // Unknown.
        }
        return 0;
    }

    private static long openDescriptors() {
        long count = 0;
        try (DirectoryStream<Path> open = Files.newDirectoryStream(PROC.resolve("self/fd"))) {
            for (Path _ : open) {
                count++;
            }
        } catch (IOException e) {
            return 0;
        }
        return count;
    }
}
