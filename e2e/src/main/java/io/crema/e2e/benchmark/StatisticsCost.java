package io.crema.e2e.benchmark;

import io.crema.cri.v1.ListContainerStatsRequest;
import io.crema.cri.v1.ListPodSandboxStatsRequest;
import io.crema.e2e.node.TestNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/**
 * What kubelet's question for statistics costs on a node with many pods: how long the answers take,
 * and how much of a processor the daemon and its helpers spend when they are asked every ten
 * seconds.
 */
final class StatisticsCost {
    static final String CONTAINERS = "ListContainerStats";
    static final String PODS = "ListPodSandboxStats";

    private static final int WARM_UP = 200;
    private static final int ROUNDS = 100;
    private static final double KUBELETS_PERIOD_MILLIS = 10_000;

    /** The unit of times in /proc: USER_HZ is 100 on every machine. */
    private static final double MILLIS_PER_TICK = 10;

    private StatisticsCost() {}

    static List<String> rows(String suffix) {
        return List.of(CONTAINERS + suffix, PODS + suffix, share(suffix));
    }

    static void measure(TestNode node, Samples samples, String suffix) {
        Samples warmUp = new Samples();
        for (int i = 0; i < WARM_UP; i++) {
            ask(node, warmUp, "");
        }
        List<Long> processes = new ArrayList<>(node.helpers());
        processes.addAll(family(node.daemonPid()));
        double before = spentMillis(processes);
        for (int i = 0; i < ROUNDS; i++) {
            ask(node, samples, suffix);
        }
        double each = (spentMillis(processes) - before) / ROUNDS;
        samples.add(share(suffix), 100 * each / KUBELETS_PERIOD_MILLIS);
    }

    private static String share(String suffix) {
        return "both every 10 s, % of a core" + suffix;
    }

    private static void ask(TestNode node, Samples samples, String suffix) {
        samples.time(
                CONTAINERS + suffix,
                () -> {
                    var _ =
                            node.client()
                                    .runtime()
                                    .listContainerStats(
                                            ListContainerStatsRequest.getDefaultInstance());
                });
        samples.time(
                PODS + suffix,
                () -> {
                    var _ =
                            node.client()
                                    .runtime()
                                    .listPodSandboxStats(
                                            ListPodSandboxStatsRequest.getDefaultInstance());
                });
    }

    /** The process and those that it has started. */
    private static List<Long> family(long daemon) {
        try (Stream<ProcessHandle> children =
                ProcessHandle.of(daemon).orElseThrow().descendants()) {
            List<Long> pids = new ArrayList<>(children.map(ProcessHandle::pid).toList());
            pids.add(daemon);
            return pids;
        }
    }

    private static double spentMillis(List<Long> processes) {
        double millis = 0;
        for (long process : processes.stream().distinct().toList()) {
            try {
                String stat = Files.readString(Path.of("/proc/" + process + "/stat"));
                String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ", -1);
                millis +=
                        MILLIS_PER_TICK * (Long.parseLong(fields[11]) + Long.parseLong(fields[12]));
            } catch (IOException e) {
                // It ended meanwhile.
            }
        }
        return millis;
    }
}
