package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.ContainerConfig;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** OCI hooks of a hooks directory (hooks_dir): which containers they run for, and when. */
@Tag("e2e")
class HooksTest {
    @TempDir private static Path directory;
    private static Path hooks;
    private static TestNode node;

    @BeforeAll
    static void startNode() throws IOException {
        hooks = Files.createDirectory(directory.resolve("hooks.d"));
        node =
                TestNode.start(
                        NodeSetup.standard()
                                .withConfiguration(
                                        "[crio.runtime]\nhooks_dir = [\"" + hooks + "\"]\n"));
        Peers.differ(node, "hooks directories are CRI-O's");
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    /** A hook that appends a word to a file. */
    private static Path hook(String name, String stages, String when) throws IOException {
        Path trace = directory.resolve(name + ".trace");
        Path program = directory.resolve(name + ".sh");
        Files.writeString(program, "#!/bin/sh\ncat > /dev/null\necho \"$1 $X\" >> " + trace + "\n");
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.writeString(
                hooks.resolve(name + ".json"),
                """
                {"version": "1.0.0",
                 "hook": {"path": "%s", "args": ["%s", "ran"], "env": ["X=set"], "timeout": 10},
                 "when": %s, "stages": %s}
                """
                        .formatted(program, name, when, stages));
        return trace;
    }

    @Test
    void runsForThoseContainersThatItIsFor() throws IOException {
        Path always = hook("always", "[\"createRuntime\", \"poststop\"]", "{\"always\": true}");
        Path marked =
                hook(
                        "marked",
                        "[\"prestart\"]",
                        "{\"annotations\": {\"^example.com/gpu$\": \"on\"}}");
        TestPod pod = TestPod.run(node);
        String plain = pod.create(pod.shell("plain", "true").build());

        assertThat(always).hasContent("ran set");
        assertThat(marked).doesNotExist();

        String chosen =
                pod.create(
                        pod.shell("chosen", "true")
                                .putAnnotations("example.com/gpu", "on")
                                .build());
        assertThat(marked).hasContent("ran set");
        pod.remove(plain);
        pod.remove(chosen);
        assertThat(Files.readAllLines(always)).as("created and deleted, twice").hasSize(4);

        Files.delete(hooks.resolve("always.json"));
        pod.remove(pod.create(pod.shell("later", "true").build()));
        assertThat(Files.readAllLines(always)).as("a deleted hook").hasSize(4);
        Files.delete(hooks.resolve("marked.json"));
        pod.remove();
    }

    private static void precreate(String name, String script, String timeout) throws IOException {
        Path program = directory.resolve(name + ".sh");
        Files.writeString(program, "#!/bin/sh\n" + script + "\n");
        Files.setPosixFilePermissions(program, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.writeString(
                hooks.resolve(name + ".json"),
                """
                {"version": "1.0.0", "hook": {"path": "%s"%s},
                 "when": {"annotations": {"^example.com/change$": "%s"}}, "stages": ["precreate"]}
                """
                        .formatted(program, timeout, name));
    }

    private static ContainerConfig changedBy(TestPod pod, String hook) {
        return pod.shell(hook, "echo $ADDED; cat /etc/added")
                .putAnnotations("example.com/change", hook)
                .build();
    }

    @Test
    void aHookChangesTheSpecificationThatIsUsed() throws IOException {
        Path added = Files.writeString(directory.resolve("added"), "a mount\n");
        precreate(
                "jq",
                "exec jq '.process.env += [\"ADDED=a variable\"]"
                        + " | .mounts += [{\"destination\": \"/etc/added\", \"type\": \"bind\","
                        + " \"source\": \""
                        + added
                        + "\", \"options\": [\"bind\", \"ro\"]}]'",
                "");
        TestPod pod = TestPod.run(node);
        assertThat(pod.output(changedBy(pod, "jq").toBuilder())).isEqualTo("a variable\na mount\n");
        pod.remove();
    }

    @Test
    void aHookThatDoesNotAnswerWellIsTold() throws IOException {
        precreate("fails", "cat >/dev/null; echo no such device >&2; exit 3", "");
        precreate("hangs", "sleep 60 & wait", ", \"timeout\": 1");
        precreate("silent", "cat >/dev/null", "");
        precreate("moves", "exec jq '.linux.cgroupsPath = \"/elsewhere\"'", "");
        TestPod pod = TestPod.run(node);
        assertRefused(pod, "fails", "ended with exit code 3: no such device");
        assertRefused(pod, "hangs", "did not end within its timeout");
        assertRefused(pod, "silent", "wrote no runtime configuration");
        assertRefused(pod, "moves", "changed linux.cgroupsPath");
        pod.remove();
        assertThat(node.leaks()).isEmpty();
    }

    private static void assertRefused(TestPod pod, String hook, String text) {
        assertThatThrownBy(() -> pod.create(changedBy(pod, hook)))
                .hasMessageContaining("FAILED_PRECONDITION")
                .hasMessageContaining(hook + ".sh (precreate, hooks_dir)")
                .hasMessageContaining(text);
    }
}
