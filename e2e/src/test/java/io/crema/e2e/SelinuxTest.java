package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.SELinuxOption;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** A node without SELinux promises none, and runs what is labelled for nodes that have it. */
@Tag("e2e")
class SelinuxTest {
    /** As Cilium's agents ask for on every node. */
    private static final SELinuxOption OPTIONS =
            SELinuxOption.newBuilder()
                    .setUser("system_u")
                    .setRole("system_r")
                    .setType("spc_t")
                    .setLevel("s0")
                    .build();

    @BeforeAll
    static void onlyWithout() {
        Assumptions.assumeFalse(
                Files.exists(Path.of("/sys/fs/selinux/enforce")), "this node has SELinux");
    }

    /** Kubernetes: on nodes without SELinux support, this field has no effect. */
    @Test
    void optionsHaveNoEffect() {
        try (TestNode node = TestNode.start()) {
            TestPod pod =
                    TestPod.run(
                            node,
                            config ->
                                    config.getLinuxBuilder()
                                            .getSecurityContextBuilder()
                                            .setSelinuxOptions(OPTIONS));
            ContainerConfig.Builder config =
                    pod.shell("labelled", "cat /proc/self/attr/current 2>/dev/null; echo runs");
            config.getLinuxBuilder().getSecurityContextBuilder().setSelinuxOptions(OPTIONS);
            assertThat(pod.output(config)).contains("runs\n").doesNotContain("spc_t");
        }
    }

    @Test
    void theDaemonDoesNotStartWhenItIsToLabel() {
        NodeSetup setup = NodeSetup.standard();
        Assumptions.assumeTrue(
                setup.runtime().isOurs(), "containerd 1.6 starts, and labels nothing");
        assertThatThrownBy(() ->
                        TestNode.start(setup.withConfiguration("[crio.runtime]\nselinux = true\n"))
                                .close())
                .hasMessageContaining("did not start")
                .hasMessageContaining("selinux");
    }
}
