package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.HugepageLimit;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Limits that this node cannot honour, and those of the pod's own cgroup. */
@Tag("e2e")
class PodLimitTest {
    private static final Path VERSION_ONE = Path.of("/sys/fs/cgroup/memory");
    private static TestNode node;

    @BeforeAll
    static void startNode() {
        node = TestNode.start();
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    @Test
    void refusesAContainerInAPodWithTooLittleMemory() throws IOException {
        Peers.differ(node, "containerd leaves it to the kernel");
        boolean isOne = Files.isDirectory(VERSION_ONE);
        Path parent =
                (isOne ? VERSION_ONE : Path.of("/sys/fs/cgroup")).resolve(node.name() + "-small");
        Files.createDirectory(parent);
        try {
            Files.writeString(
                    parent.resolve(isOne ? "memory.limit_in_bytes" : "memory.max"), "4194304");
            TestPod pod =
                    TestPod.run(
                            node,
                            config ->
                                    config.getLinuxBuilder()
                                            .setCgroupParent("/" + node.name() + "-small"));
            assertThatThrownBy(() -> pod.create(pod.shell("main", "true").build()))
                    .hasMessageContaining("4194304 bytes of")
                    .hasMessageContaining("container_min_memory");
            pod.remove();
        } finally {
            Files.delete(parent);
        }
    }

    @Test
    void kubeletsLimitsOfZeroHugePagesStopNoContainer() {
        Peers.differ(node, "containerd 1.6 has it behind an option");
        TestPod pod = TestPod.run(node);
        ContainerConfig.Builder container = pod.shell("huge", "echo runs");
        for (String size : new String[] {"2MB", "1GB"}) {
            container
                    .getLinuxBuilder()
                    .getResourcesBuilder()
                    .addHugepageLimits(HugepageLimit.newBuilder().setPageSize(size));
        }
        assertThat(pod.output(container)).isEqualTo("runs\n");
        container
                .getLinuxBuilder()
                .getResourcesBuilder()
                .setHugepageLimits(0, HugepageLimit.newBuilder().setPageSize("2 MB"));
        assertThatThrownBy(() -> pod.create(container.build()))
                .hasMessageContaining("INVALID_ARGUMENT: linux.resources.hugepage_limits");
        pod.remove();
    }

    @Test
    void refusesFilesOfCgroupVersionTwoOnVersionOne() {
        Peers.differ(node, "containerd drops them");
        assumeTrue(Files.isDirectory(VERSION_ONE), "this node has version 2");
        TestPod pod = TestPod.run(node);
        ContainerConfig.Builder container = pod.shell("unified", "true");
        container.getLinuxBuilder().getResourcesBuilder().putUnified("memory.oom.group", "1");
        assertThatThrownBy(() -> pod.create(container.build()))
                .hasMessageContaining("INVALID_ARGUMENT: linux.resources.unified");
        pod.remove();
    }
}
