package io.crema.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.conf.RuntimeConfiguration.CgroupManager;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.monitor.ContainerMonitor.Exit;
import io.crema.runtime.cgroup.CgroupHierarchies;
import io.crema.runtime.cgroup.CgroupPlacement;
import io.crema.runtime.cgroup.Cgroups;
import io.crema.runtime.state.Container;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Both versions and both drivers, with files in the kernel's place. */
class OutOfMemoryTest {
    private static final String VERSION_2 =
            "low 0\nhigh 0\nmax 5\noom 9\noom_kill %d\noom_group_kill 0\n";
    private static final String VERSION_1 = "oom_kill_disable 0\nunder_oom 0\noom_kill %d\n";
    private static final String SLICE = "kubepods-pod1.slice";
    private static final String SLICE_DIRECTORY = "kubepods.slice/kubepods-pod1.slice";

    @TempDir Path root;
    private Container ofPath;
    private Container ofSlice;

    @BeforeEach
    void containers() throws IOException {
        ofPath = TestContainers.created(TestContainers.layout(root), "/kubepods/pod1");
        ofSlice = TestContainers.created(TestContainers.layout(root), SLICE);
    }

    private OutOfMemory versionOne(CgroupManager driver) {
        return outOfMemory(
                new CgroupHierarchies(
                        CgroupHierarchies.Version.V1,
                        Map.of("memory", root.resolve("cgroup/memory")),
                        Optional.empty(),
                        Set.of()),
                driver);
    }

    private OutOfMemory versionTwo(CgroupManager driver) {
        return outOfMemory(
                new CgroupHierarchies(
                        CgroupHierarchies.Version.V2,
                        Map.of(),
                        Optional.of(root.resolve("cgroup")),
                        Set.of("memory")),
                driver);
    }

    private static OutOfMemory outOfMemory(CgroupHierarchies hierarchies, CgroupManager driver) {
        return new OutOfMemory(
                new PodCgroups(
                        new Cgroups(hierarchies, JnaLinux.load()), new CgroupPlacement(driver)),
                hierarchies.isUnified());
    }

    private void file(String path, String text) throws IOException {
        Path file = root.resolve("cgroup").resolve(path);
        Files.createDirectories(file.getParent());
        Files.writeString(file, text);
    }

    private static Exit exit(int code, boolean oomFile) {
        return new Exit(code, Instant.EPOCH, oomFile);
    }

    @Test
    void theCountOfVersionOneDecides() throws IOException {
        OutOfMemory found = versionOne(CgroupManager.CGROUPFS);
        String file = "memory/kubepods/pod1/crio-" + ofPath.id() + "/memory.oom_control";
        file(file, VERSION_1.formatted(1));
        assertThat(found.killed(ofPath, exit(137, false))).as("conmon was late").isTrue();
        assertThat(found.killed(ofPath, exit(0, false))).as("a child").isTrue();
        file(file, VERSION_1.formatted(0));
        assertThat(found.killed(ofPath, exit(137, true))).as("another one's event").isFalse();
        assertThat(found.killed(ofPath, exit(1, false))).isFalse();
    }

    @Test
    void theCountOfVersionTwoDecides() throws IOException {
        OutOfMemory found = versionTwo(CgroupManager.SYSTEMD);
        String file = SLICE_DIRECTORY + "/crio-" + ofSlice.id() + ".scope/memory.events";
        file(file, VERSION_2.formatted(2));
        assertThat(found.killed(ofSlice, exit(1, false))).isTrue();
        file(file, VERSION_2.formatted(0));
        assertThat(found.killed(ofSlice, exit(1, true)))
                .as("conmon takes an allocation that failed for a kill")
                .isFalse();
    }

    @Test
    void whenSystemdHasRemovedTheScopeTheMonitorOrThePodTells() throws IOException {
        OutOfMemory found = versionTwo(CgroupManager.SYSTEMD);
        assertThat(found.killed(ofSlice, exit(137, true))).isTrue();
        assertThat(found.killed(ofSlice, exit(137, false))).isFalse();
        file(SLICE_DIRECTORY + "/memory.events", VERSION_2.formatted(1));
        assertThat(found.killed(ofSlice, exit(137, false))).isTrue();
        assertThat(found.killed(ofSlice, exit(1, false))).isFalse();
        OutOfMemory old = versionOne(CgroupManager.SYSTEMD);
        assertThat(old.killed(ofSlice, exit(137, true))).isTrue();
        assertThat(old.killed(ofSlice, exit(137, false))).isFalse();
    }
}
