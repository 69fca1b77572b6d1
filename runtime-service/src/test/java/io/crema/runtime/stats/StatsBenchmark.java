package io.crema.runtime.stats;

import io.crema.cri.v1.ListContainerStatsRequest;
import io.crema.cri.v1.ListPodSandboxMetricsRequest;
import io.crema.cri.v1.ListPodSandboxStatsRequest;
import io.crema.runtime.state.PodSandbox;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * Times the lists over pods of real cgroups, network namespaces and processes: a command for
 * engineers, not a test. The argument is the number of pods, 50 when there is none.
 */
final class StatsBenchmark {
    private static final int ROUNDS = 300;

    private StatsBenchmark() {}

    @FunctionalInterface
    private interface Call {
        int run();
    }

    public static void main(String[] arguments) throws Exception {
        int pods = arguments.length == 0 ? 50 : Integer.parseInt(arguments[0]);
        Path directory = Files.createTempDirectory("stats-benchmark");
        try (RealNode node = new RealNode(directory);
                StatsCalls calls = node.calls()) {
            for (int i = 0; i < pods; i++) {
                PodSandbox pod = node.pod("pod" + i);
                node.container(pod, "one", "exec sleep 3600");
            }
            measure(
                    "ListContainerStats",
                    () ->
                            calls.listContainerStats(ListContainerStatsRequest.getDefaultInstance())
                                    .getSerializedSize());
            measure(
                    "ListPodSandboxStats",
                    () ->
                            calls.listPodSandboxStats(
                                            ListPodSandboxStatsRequest.getDefaultInstance())
                                    .getSerializedSize());
            measure(
                    "ListPodSandboxMetrics",
                    () ->
                            calls.listPodSandboxMetrics(
                                            ListPodSandboxMetricsRequest.getDefaultInstance())
                                    .getSerializedSize());
        } finally {
            FakeNode.delete(directory);
        }
    }

    /** Processor time of the calling thread is told too: it is the same on a busy machine. */
    private static void measure(String name, Call call) throws InterruptedException {
        long[] nanos = new long[ROUNDS];
        long[] cpuNanos = new long[ROUNDS];
        int[] size = new int[1];
        ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        Thread caller =
                Thread.ofPlatform()
                        .start(() -> {
                            for (int i = 0; i < ROUNDS; i++) {
                                long start = System.nanoTime();
                                long cpuStart = threads.getCurrentThreadCpuTime();
                                size[0] = call.run();
                                cpuNanos[i] = threads.getCurrentThreadCpuTime() - cpuStart;
                                nanos[i] = System.nanoTime() - start;
                            }
                        });
        caller.join();
        long first = nanos[0];
        long[] later = later(nanos);
        long[] cpuLater = later(cpuNanos);
        System.out.printf(
                "%-22s first %5.1f ms; then median %5.1f, 99th of 100 %5.1f, processor %5.1f ms;"
                        + " %d bytes%n",
                name,
                first / 1e6,
                later[later.length / 2] / 1e6,
                later[later.length * 99 / 100] / 1e6,
                cpuLater[cpuLater.length / 2] / 1e6,
                size[0]);
    }

    /** The last two thirds, sorted. */
    private static long[] later(long[] rounds) {
        long[] later = Arrays.copyOfRange(rounds, ROUNDS / 3, ROUNDS);
        Arrays.sort(later);
        return later;
    }
}
