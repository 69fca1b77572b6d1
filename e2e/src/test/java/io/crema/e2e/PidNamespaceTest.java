package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.NamespaceMode;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Whose processes a container sees (namespace_options.pid), and what ends with it. */
@Tag("e2e")
class PidNamespaceTest {
    private static TestNode node;

    @BeforeAll
    static void startNode() {
        node = TestNode.start();
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    private static TestPod pod(NamespaceMode pid) {
        return TestPod.run(
                node,
                config ->
                        config.getLinuxBuilder()
                                .getSecurityContextBuilder()
                                .getNamespaceOptionsBuilder()
                                .setPid(pid));
    }

    private static ContainerConfig.Builder targeting(TestPod pod, String script, String target) {
        ContainerConfig.Builder container = pod.shell("debugger", script);
        container
                .getLinuxBuilder()
                .getSecurityContextBuilder()
                .getNamespaceOptionsBuilder()
                .setPid(NamespaceMode.TARGET)
                .setTargetId(target);
        return container;
    }

    @Test
    void ofItsOwn() {
        TestPod pod = pod(NamespaceMode.CONTAINER);
        assertThat(pod.output(pod.shell("main", "echo $$"))).isEqualTo("1\n");
        pod.remove();
    }

    @Test
    void ofThePodWithAnInitThatReaps() {
        TestPod pod = pod(NamespaceMode.POD);
        String first = pod.launch(pod.shell("first", "sleep 4242"));
        assertThat(
                        pod.output(
                                pod.shell(
                                        "second",
                                        "ps -o args | grep -c '[s]leep 4242'; echo own $(($$ > 1))")))
                .isEqualTo("1\nown 1\n");

        Peers.differ(node, "our peer's PID 1 is a plain sleep");
        assertThat(
                        pod.output(
                                pod.shell(
                                        "orphans",
                                        "sh -c 'sleep 0.1 & sleep 0.1 &'; sleep 0.5;"
                                                + " ps -o stat | grep -c Z; true")))
                .as("children that lost their parent")
                .isEqualTo("0\n");
        assertThat(pod.exec(first, "cat", "/proc/1/comm").getStdout().toStringUtf8())
                .isEqualTo("init\n");
        pod.remove();
    }

    @Test
    void ofAnotherContainer() {
        TestPod pod = pod(NamespaceMode.CONTAINER);
        String target = pod.launch(pod.shell("target", "sleep 4343"));
        assertThat(pod.output(targeting(pod, "tr '\\0' ' ' < /proc/1/cmdline; echo", target)))
                .isEqualTo("sleep 4343 \n");

        TestPod other = pod(NamespaceMode.CONTAINER);
        assertThatThrownBy(() -> other.create(targeting(other, "true", target).build()))
                .hasMessageContaining(target.substring(0, 12));
        assertThatThrownBy(() -> pod.create(targeting(pod, "true", "f".repeat(64)).build()))
                .hasMessageContaining("NOT_FOUND");
        pod.stop(target, 0);
        assertThatThrownBy(() -> pod.create(targeting(pod, "true", target).build()))
                .hasMessageContaining(target.substring(0, 12));
        other.remove();
        pod.remove();
    }

    @Test
    void ofTheNodeAndAllOfItEndsWithTheContainer() throws Exception {
        TestPod pod = pod(NamespaceMode.NODE);
        String container =
                pod.launch(
                        pod.shell(
                                "main",
                                "(while true; do sleep 424344; done) & echo pid $$; sleep 0.5"));
        pod.awaitExit(container);
        assertThat(TestPod.stdout(pod.log("main.log"))).doesNotContain("pid 1\n");

        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (isRunning("424344")) {
            assertThat(System.nanoTime()).as("a process outlives its container").isLessThan(end);
            Thread.sleep(20);
        }
        pod.remove();
    }

    private static boolean isRunning(String argument) throws IOException {
        try (DirectoryStream<Path> processes =
                Files.newDirectoryStream(Path.of("/proc"), "[1-9]*")) {
            for (Path process : processes) {
                if (commandLine(process).startsWith("sleep\0" + argument)) {
                    return true;
                }
            }
        }
        return false;
    }

    private static String commandLine(Path process) {
        try {
            return Files.readString(process.resolve("cmdline"));
        } catch (IOException e) {
            return ""; // it ended meanwhile
        }
    }
}
