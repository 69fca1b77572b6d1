package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;

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
}
