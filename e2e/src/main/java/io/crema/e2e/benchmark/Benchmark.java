package io.crema.e2e.benchmark;

import io.crema.e2e.image.BusyboxArchive;
import io.crema.e2e.node.NetworkNamespace;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.RuntimeUnderTest;
import io.crema.e2e.node.Shell;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.crema.e2e.registry.RegistryConfiguration;
import io.crema.e2e.registry.RegistryProcess;
import io.crema.e2e.registry.RegistryUpload;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.OptionalDouble;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Measures Crema, Debian's containerd and the floor in one run, in turn for each single pod, so
 * that whatever else the machine does hits all three alike.
 *
 * <p>Usage: {@code Benchmark FLOOR_SCRIPT [pulls]}; with the word, images only.
 */
public final class Benchmark {
    private static final int WARM_UP = 5;
    private static final int SEQUENTIAL = 30;
    private static final int PODS = 50;
    private static final int AT_ONCE = 10;
    private static final int STARTS = 5;
    private static final int PULLS = 3;
    private static final int REPEATED_PULLS = 3;
    private static final int STORE_MEBIBYTES = 4096;
    private static final int SETTLE_SECONDS = 5;

    /**
     * Before an exec, because probes come alone: for some 20 ms after a start the kernel moves
     * processes into cgroups without the wait that an exec consists of by half.
     */
    static final int ALONE_MILLIS = 100;

    /** What is shown, in this order; the unit is part of the name where it is not milliseconds. */
    private static final List<String> ROWS =
            List.of(
                    "pod start",
                    "RunPodSandbox",
                    "CreateContainer",
                    "StartContainer",
                    "ExecSync",
                    "StopContainer",
                    "StopPodSandbox",
                    "RemovePodSandbox",
                    atOnce("pod start"),
                    atOnce("all started"),
                    atOnce("all stopped and removed"),
                    StreamSpeed.rows().get(0),
                    StreamSpeed.rows().get(1),
                    StreamSpeed.rows().get(2),
                    "pull",
                    "pull, zstd",
                    "pull again",
                    "RemoveImage",
                    "daemon while pulling, at most, MiB",
                    "start to ready, no pods",
                    "start to ready, " + PODS + " pods",
                    StatisticsCost.rows(ofPods()).get(0),
                    StatisticsCost.rows(ofPods()).get(1),
                    StatisticsCost.rows(ofPods()).get(2),
                    "daemon, no pods, MiB",
                    "daemon, " + PODS + " pods, MiB",
                    "monitors or shims, " + PODS + " pods, MiB",
                    "all of it, " + PODS + " pods, MiB");

    private final Path floorScript;
    private final NetworkNamespace network;
    private final Path floorDirectory;
    private final Samples floor = new Samples();
    private int counter;

    private Benchmark(Path floorScript, NetworkNamespace network, Path floorDirectory) {
        this.floorScript = floorScript;
        this.network = network;
        this.floorDirectory = floorDirectory;
    }

    public static void main(String[] arguments) throws IOException, InterruptedException {
        String name = "crema-e2e-" + ProcessHandle.current().pid() + "-benchmark";
        NetworkNamespace network = NetworkNamespace.create(name);
        Path directory = Files.createDirectories(Path.of("/var/lib", name));
        try {
            Shell.run("mount", "-t", "tmpfs", "-o", "size=4g", name, directory.toString());
            new Benchmark(Path.of(arguments[0]), network, directory.resolve("floor"))
                    .run(directory, List.of(arguments).contains("pulls"));
        } finally {
            Shell.result(List.of("umount", "-l", directory.toString()));
            Shell.result(List.of("rmdir", directory.toString()));
            network.delete();
        }
    }

    private void run(Path directory, boolean onlyPulls) throws IOException, InterruptedException {
        long begin = System.nanoTime();
        RegistryConfiguration configuration =
                new RegistryConfiguration(network.freePort(), new RegistryConfiguration.Anybody());
        Path registryDirectory = Files.createDirectories(directory.resolve("registry"));
        Path busybox = directory.resolve("busybox.tar");
        Files.write(busybox, BusyboxArchive.tar(Path.of("/bin/busybox")));
        floor("prepare", busybox.toString());
        Samples ours = new Samples();
        Samples peers = new Samples();
        LargeImage image;
        try (RegistryProcess _ = new RegistryProcess(network, configuration, registryDirectory);
                TestNode crema =
                        TestNode.start(node(RuntimeUnderTest.CREMA, configuration.address()));
                TestNode containerd =
                        TestNode.start(
                                node(RuntimeUnderTest.CONTAINERD, configuration.address()))) {
            progress("making the large image");
            image =
                    LargeImage.upload(
                            new RegistryUpload(network, configuration.address()),
                            "large",
                            "1",
                            "zstd");
            if (!onlyPulls) {
                pods(crema, containerd, ours, peers);
            }
            progress("pulls");
            String reference = configuration.address() + "/large:1";
            String zstd = configuration.address() + "/large:zstd";
            for (int i = 0; i < PULLS; i++) {
                pull(crema, ours, "pull", reference);
                pull(containerd, peers, "pull", reference);
                List<String> line = new ArrayList<>(List.of(configuration.address(), "large"));
                line.addAll(image.layerDigests());
                collect(floor, floor("pull", line.toArray(String[]::new)));
                pull(crema, ours, "pull, zstd", zstd);
                pull(containerd, peers, "pull, zstd", zstd);
            }
            mostMemory(crema, ours, reference, zstd);
            mostMemory(containerd, peers, reference, zstd);
        } finally {
            floor("clean");
        }
        print(ours, peers, image, (System.nanoTime() - begin) / 1_000_000_000);
    }

    private void pods(TestNode crema, TestNode containerd, Samples ours, Samples peers)
            throws IOException, InterruptedException {
        progress("memory and start without pods");
        for (int i = 0; i < STARTS; i++) {
            start(crema, ours, "start to ready, no pods");
            start(containerd, peers, "start to ready, no pods");
        }
        TimeUnit.SECONDS.sleep(SETTLE_SECONDS);
        ours.add("daemon, no pods, MiB", mebibytes(crema.daemonPid()));
        peers.add("daemon, no pods, MiB", mebibytes(containerd.daemonPid()));
        progress("one pod after another");
        Samples warmUp = new Samples();
        for (int i = 0; i < WARM_UP; i++) {
            life(crema, warmUp);
            life(containerd, warmUp);
            floorLife(warmUp);
        }
        for (int i = 0; i < SEQUENTIAL; i++) {
            life(crema, ours);
            life(containerd, peers);
            floorLife(floor);
        }
        progress(AT_ONCE + " pods at a time");
        many(crema, ours);
        many(containerd, peers);
        manyOfTheFloor();
        progress("streams");
        StreamSpeed.measure(crema, ours);
        StreamSpeed.measure(containerd, peers);
    }

    private NodeSetup node(RuntimeUnderTest runtime, String registry) {
        return NodeSetup.of(runtime)
                .in(network)
                .withRegistry(registry)
                .quiet()
                .onTmpfs(STORE_MEBIBYTES);
    }

    private static void start(TestNode node, Samples samples, String what) {
        node.stop();
        samples.add(what, node.startDaemon());
    }

    /** A pod from its start to its removal. */
    private static void life(TestNode node, Samples samples) throws InterruptedException {
        Running running = startPod(node, samples, "");
        TimeUnit.MILLISECONDS.sleep(ALONE_MILLIS);
        samples.time("ExecSync", () -> running.pod.exec(running.container, "true"));
        samples.time("StopContainer", () -> running.pod.stop(running.container, 0));
        samples.time("StopPodSandbox", () -> running.pod.stop());
        samples.time("RemovePodSandbox", () -> running.pod.remove());
    }

    private record Running(TestPod pod, String container) {}

    private static Running startPod(TestNode node, Samples samples, String suffix) {
        return samples.time(
                "pod start" + suffix,
                () -> {
                    TestPod pod = samples.time("RunPodSandbox" + suffix, () -> TestPod.run(node));
                    String container =
                            samples.time(
                                    "CreateContainer" + suffix,
                                    () ->
                                            pod.create(
                                                    pod.shell("main", "exec sleep 1000000")
                                                            .build()));
                    samples.time("StartContainer" + suffix, () -> pod.start(container));
                    return new Running(pod, container);
                });
    }

    private static void many(TestNode node, Samples samples) throws InterruptedException {
        List<Running> running =
                samples.time(
                        atOnce("all started"),
                        () -> atOnce(() -> startPod(node, samples, suffix())));
        TimeUnit.SECONDS.sleep(SETTLE_SECONDS);
        double daemon = mebibytes(node.daemonPid());
        double helpers = node.helpers().stream().mapToDouble(Benchmark::mebibytes).sum();
        samples.add("daemon, " + PODS + " pods, MiB", daemon);
        samples.add("monitors or shims, " + PODS + " pods, MiB", helpers);
        samples.add("all of it, " + PODS + " pods, MiB", daemon + helpers);
        StatisticsCost.measure(node, samples, ofPods());
        for (int i = 0; i < STARTS; i++) {
            start(node, samples, "start to ready, " + PODS + " pods");
        }
        List<Running> left = new ArrayList<>(running);
        samples.time(
                atOnce("all stopped and removed"),
                () ->
                        atOnce(() -> {
                            Running one;
                            synchronized (left) {
                                one = left.removeLast();
                            }
                            one.pod.stop();
                            one.pod.remove();
                            return one;
                        }));
    }

    private static <T> List<T> atOnce(java.util.concurrent.Callable<T> action)
            throws InterruptedException {
        try (ExecutorService executor = Executors.newFixedThreadPool(AT_ONCE)) {
            List<T> results = new ArrayList<>();
            for (Future<T> result :
                    executor.invokeAll(java.util.Collections.nCopies(PODS, action))) {
                results.add(result.get());
            }
            return results;
        } catch (ExecutionException e) {
            throw new IllegalStateException(e.getCause());
        }
    }

    /** A pull into a store without the image, a few more of what is there, and the removal. */
    private static void pull(TestNode node, Samples samples, String row, String reference)
            throws InterruptedException {
        settle();
        samples.time(row, () -> node.images().pull(reference));
        for (int i = 0; i < REPEATED_PULLS; i++) {
            samples.time("pull again", () -> node.images().pull(reference));
        }
        samples.time("RemoveImage", () -> node.images().remove(reference));
    }

    /** Lets the disk and the peers' garbage collection come to rest. */
    private static void settle() throws InterruptedException {
        Shell.run("sync");
        TimeUnit.SECONDS.sleep(2);
    }

    /**
     * One more pull of each, during which memory is looked at; as that takes time, without a time.
     */
    private static void mostMemory(TestNode node, Samples samples, String... references)
            throws InterruptedException {
        double most = 0;
        for (String reference : references) {
            settle();
            Thread pulling = Thread.ofVirtual().start(() -> node.images().pull(reference));
            while (pulling.isAlive()) {
                most = Math.max(most, mebibytes(node.daemonPid()));
                TimeUnit.MILLISECONDS.sleep(20);
            }
            pulling.join();
            node.images().remove(reference);
        }
        samples.add("daemon while pulling, at most, MiB", most);
    }

    private void floorLife(Samples samples) {
        collect(samples, floor("life", "crema-floor-" + ++counter));
    }

    private void manyOfTheFloor() {
        String all =
                "seq %d | xargs -P %d -I{} %s %%s %s crema-floor-many-{}"
                        .formatted(PODS, AT_ONCE, floorScript, floorDirectory);
        String started =
                floor.time(
                        atOnce("all started"),
                        () -> network.run("sh", "-c", all.formatted("start")));
        Samples many = new Samples();
        collect(many, started);
        many.median("pod start").ifPresent(median -> floor.add(atOnce("pod start"), median));
        floor.time(
                atOnce("all stopped and removed"),
                () -> network.run("sh", "-c", all.formatted("end")));
    }

    private String floor(String command, String... more) {
        List<String> line =
                new ArrayList<>(
                        List.of(floorScript.toString(), command, floorDirectory.toString()));
        line.addAll(Arrays.asList(more));
        return network.run(line.toArray(String[]::new));
    }

    private static void collect(Samples samples, String lines) {
        for (String line : lines.lines().toList()) {
            String[] parts = line.split("\t", 2);
            if (parts.length == 2) {
                samples.add(parts[0], Double.parseDouble(parts[1]));
            }
        }
    }

    /** Proportional share of memory (PSS): pages shared with others count in part. */
    private static double mebibytes(long process) {
        try {
            for (String line : Files.readAllLines(Path.of("/proc/" + process + "/smaps_rollup"))) {
                if (line.startsWith("Pss:")) {
                    return Double.parseDouble(line.replaceAll("[^0-9]", "")) / 1024;
                }
            }
            return 0;
        } catch (IOException e) {
            return 0; // It ended meanwhile.
        }
    }

    private static String ofPods() {
        return ", " + PODS + " pods";
    }

    private static String suffix() {
        return ", " + AT_ONCE + " at a time";
    }

    private static String atOnce(String what) {
        return what + suffix();
    }

    private static void progress(String what) {
        System.err.println("==> " + what);
    }

    private void print(Samples ours, Samples peers, LargeImage image, long seconds)
            throws IOException {
        System.out.printf(
                Locale.ROOT,
                """

                Medians in milliseconds unless said otherwise; smaller is better. %s, %s, kernel %s, %d CPUs, load %s.
                Each single pod in turn on Crema, containerd (%s) and the floor (runc %s and the bridge and
                portmap plugins by hand), %d times after %d for warming up, execs 0.1 s after what was before; then %d pods, %d at a time. State of all
                on tmpfs. The container is busybox with a PID namespace of its own. Pull: %s,
                cold, %d times; the floor fetches, inflates and unpacks its gzip layers one after another by curl,
                gzip and tar. Start to ready: from the start of the process to the first answer, %d times. Memory:
                PSS. Measured in %d s.

                | what | Crema | containerd | floor | Crema / containerd | Crema / floor |
                |---|---:|---:|---:|---:|---:|
                """,
                System.getProperty("os.name"),
                System.getProperty("os.arch"),
                System.getProperty("os.version"),
                Runtime.getRuntime().availableProcessors(),
                Files.readString(Path.of("/proc/loadavg")).split(" ", 2)[0],
                word(Shell.run("containerd", "--version"), 2),
                word(Shell.run("runc", "--version"), 2),
                SEQUENTIAL,
                WARM_UP,
                PODS,
                AT_ONCE,
                image.describe(),
                PULLS,
                STARTS,
                seconds);
        for (String row : ROWS) {
            OptionalDouble mine = ours.median(row);
            OptionalDouble theirs = peers.median(row);
            OptionalDouble least = floor.median(row);
            System.out.println(
                    "| "
                            + String.join(
                                    " | ",
                                    row,
                                    number(mine),
                                    number(theirs),
                                    number(least),
                                    ratio(mine, theirs),
                                    ratio(mine, least))
                            + " |");
        }
    }

    private static String word(String text, int index) {
        return text.lines().findFirst().orElse("").split(" ", -1)[index];
    }

    private static String number(OptionalDouble value) {
        return value.isEmpty()
                ? "–"
                : String.format(
                        Locale.ROOT,
                        value.getAsDouble() < 1
                                ? "%.2f"
                                : value.getAsDouble() < 100 ? "%.1f" : "%.0f",
                        value.getAsDouble());
    }

    private static String ratio(OptionalDouble a, OptionalDouble b) {
        return a.isEmpty() || b.isEmpty() || b.getAsDouble() == 0
                ? "–"
                : String.format(Locale.ROOT, "%.2f", a.getAsDouble() / b.getAsDouble());
    }
}
