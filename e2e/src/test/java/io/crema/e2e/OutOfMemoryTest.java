package io.crema.e2e;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerStatus;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Kills for want of memory are told, always, and of those containers only that they befell. */
@Tag("e2e")
class OutOfMemoryTest {
    private static final long LIMIT = 16 << 20;

    /** Its memory grows with a line that has no end. */
    private static final String HOG = "tail /dev/zero";

    private static TestNode node;

    @BeforeAll
    static void startNode() {
        node = TestNode.start();
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    @AfterEach
    void removePods() {
        node.removeAllPods();
    }

    @Test
    void theFirstProcessIsKilledManyTimesInARow() {
        TestPod pod = TestPod.run(node);
        for (int i = 0; i < 15; i++) {
            ContainerStatus ended = pod.awaitExit(pod.launch(hog(pod, "hog" + i, "exec " + HOG)));
            assertThat(ended.getReason()).as("run %s", i).isEqualTo("OOMKilled");
            assertThat(ended.getExitCode()).isEqualTo(137);
        }
    }

    @Test
    void manyAreKilledAtATime() {
        TestPod pod = TestPod.run(node);
        List<String> ids = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            ids.add(pod.create(hog(pod, "hog" + i, "exec " + HOG).build()));
        }
        ids.parallelStream().forEach(pod::start);
        for (String id : ids) {
            assertThat(pod.awaitExit(id).getReason()).isEqualTo("OOMKilled");
        }
    }

    @Test
    void aKilledChildIsToldWhateverBecomesOfTheFirstProcess() {
        TestPod pod = TestPod.run(node);
        for (int code : new int[] {0, 1, 137}) {
            ContainerStatus ended =
                    pod.awaitExit(pod.launch(hog(pod, "parent" + code, HOG + "; exit " + code)));
            assertThat(ended.getReason()).isEqualTo("OOMKilled");
            assertThat(ended.getExitCode()).isEqualTo(code);
        }
    }

    @Test
    void aKillByThePodsLimitIsToldOfItsVictimOnly() throws IOException {
        Peers.differ(node, "containerd tells it of every container of the pod with version 1");
        // As kubelet does, for a pod with a limit.
        String parent = "/" + node.name() + "/limited";
        boolean isUnified = Files.exists(Path.of("/sys/fs/cgroup/cgroup.controllers"));
        Path cgroup = Path.of(isUnified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory", parent);
        Files.createDirectories(cgroup);
        try {
            Files.writeString(
                    cgroup.resolve(isUnified ? "memory.max" : "memory.limit_in_bytes"),
                    Long.toString(3 * LIMIT));
            TestPod pod =
                    TestPod.run(node, config -> config.getLinuxBuilder().setCgroupParent(parent));
            String bystander =
                    pod.launch(
                            pod.shell(
                                    "bystander",
                                    "trap 'exit 3' TERM; while :; do sleep 0.1; done"));
            ContainerStatus victim = pod.awaitExit(pod.launch(pod.shell("victim", "exec " + HOG)));
            assertThat(victim.getReason()).isEqualTo("OOMKilled");
            pod.stop(bystander, 10);
            assertThat(pod.status(bystander).getReason()).isEqualTo("Error");
            assertThat(pod.status(bystander).getExitCode()).isEqualTo(3);
        } finally {
            node.removeAllPods();
            for (String hierarchy : requireNonNull(new File("/sys/fs/cgroup").list())) {
                Files.deleteIfExists(Path.of("/sys/fs/cgroup", hierarchy, parent));
            }
            Files.deleteIfExists(Path.of("/sys/fs/cgroup", parent));
        }
    }

    @Test
    void aKillWhileTheDaemonIsDownIsTold() {
        TestPod pod = TestPod.run(node);
        String id = pod.launch(hog(pod, "later", "sleep 1; exec " + HOG));
        String other = pod.launch(pod.shell("other", "sleep 1; exit 1"));
        node.kill();
        awaitEnd(id);
        awaitEnd(other);
        node.startDaemon();
        assertThat(pod.awaitExit(id).getReason()).isEqualTo("OOMKilled");
        assertThat(pod.awaitExit(other).getReason()).isEqualTo("Error");
    }

    /** Until no process of the container is left. */
    private static void awaitEnd(String id) {
        long end = System.nanoTime() + 30_000_000_000L;
        while (ProcessHandle.allProcesses()
                .map(process -> Path.of("/proc/" + process.pid() + "/cgroup"))
                .anyMatch(file -> isIn(file, "crio-" + id))) {
            if (System.nanoTime() > end) {
                throw new AssertionError("container " + id + " does not end");
            }
            Thread.onSpinWait();
        }
    }

    private static boolean isIn(Path file, String cgroup) {
        try {
            return Files.readString(file).contains(cgroup);
        } catch (IOException e) {
            return false;
        }
    }

    private static ContainerConfig.Builder hog(TestPod pod, String name, String script) {
        ContainerConfig.Builder config = pod.shell(name, script);
        config.getLinuxBuilder().getResourcesBuilder().setMemoryLimitInBytes(LIMIT);
        return config;
    }
}
