package io.crema.oci.monitor;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.oci.linux.LinuxMounts.MountEntry;
import io.crema.oci.linux.jna.JnaLinux;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On directories that stand for cgroups, with named pipes where a write is to block. */
class CgroupHeadStartTest {
    private static final Duration LIMIT = Duration.ofSeconds(10);

    @TempDir Path directory;
    private Path ownCgroups;

    @BeforeEach
    void writeOwnCgroups() throws IOException {
        ownCgroups =
                Files.writeString(
                        directory.resolve("cgroup"), "3:cpu,cpuacct:/a/b\n1:pids:/\n0::/c\n");
    }

    @Test
    void movesTheDaemonToItsOwnCgroupOfVersion1() throws Exception {
        Path file = processes("cpu/a/b");
        headStart(v1("pids,cpu", "x"), v1("cpu", "rw,cpu,cpuacct")).begin();
        await(file, "0");
    }

    @Test
    void movesTheDaemonToItsOwnCgroupOfVersion2() throws Exception {
        Path file = processes("unified/c");
        headStart(mount("unified", "cgroup2", "rw,nsdelegate")).begin();
        await(file, "0");
    }

    @Test
    void doesNotWaitAndBeginsOneAtATime() throws Exception {
        Path file = processes("unified/c");
        Files.delete(file);
        // Opening a pipe without a reader blocks, as the write does in the kernel.
        assertThat(new ProcessBuilder("mkfifo", file.toString()).start().waitFor()).isZero();
        CgroupHeadStart headStart = headStart(mount("unified", "cgroup2", "rw"));
        long begin = System.nanoTime();
        for (int i = 0; i < 100; i++) {
            headStart.begin();
        }
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(2));
        assertThat(Files.readString(file)).isEqualTo("0");
    }

    @Test
    void followsWhoeverMovesTheDaemon() throws Exception {
        CgroupHeadStart headStart = headStart(mount("unified", "cgroup2", "rw"));
        Path before = processes("unified/c");
        headStart.begin();
        await(before, "0");
        Files.writeString(before, "");
        Path after = processes("unified/d");
        Files.writeString(ownCgroups, "0::/d\n");
        long end = System.nanoTime() + LIMIT.toNanos();
        while (Files.size(after) == 0 && System.nanoTime() < end) {
            headStart.begin();
            TimeUnit.MILLISECONDS.sleep(5);
        }
        assertThat(after).hasContent("0");
        assertThat(before).isEmptyFile();
    }

    @Test
    void givesUpQuietlyWhereNoCgroupIsMounted() throws Exception {
        CgroupHeadStart headStart = headStart();
        headStart.begin();
        headStart.begin();
        assertThat(ownCgroups).hasContent("3:cpu,cpuacct:/a/b\n1:pids:/\n0::/c\n");
    }

    /** With each version of cgroups that this machine has mounted. */
    @Test
    @Tag("root")
    void leavesARealProcessWhereItIs() throws Exception {
        List<MountEntry> mounts = JnaLinux.load().mounts();
        Path own = Path.of("/proc/self/cgroup");
        String before = Files.readString(own);
        int tried = 0;
        for (String type : List.of("cgroup", "cgroup2")) {
            List<MountEntry> table =
                    mounts.stream().filter(mount -> mount.type().equals(type)).toList();
            if (table.isEmpty()) {
                continue;
            }
            tried++;
            CgroupHeadStart headStart = new CgroupHeadStart(() -> table, own);
            headStart.begin();
            assertThat(headStart.end(LIMIT)).isTrue();
            assertThat(headStart.isOfUse()).as(type).isTrue();
            assertThat(Files.readString(own)).isEqualTo(before);
        }
        assertThat(tried).as("cgroup versions").isPositive();
    }

    private CgroupHeadStart headStart(MountEntry... mounts) {
        return new CgroupHeadStart(() -> List.of(mounts), ownCgroups);
    }

    private Path processes(String cgroup) throws IOException {
        Path place = Files.createDirectories(directory.resolve(cgroup));
        return Files.createFile(place.resolve("cgroup.procs"));
    }

    private MountEntry v1(String name, String options) {
        return mount(name, "cgroup", options);
    }

    private MountEntry mount(String name, String type, String options) {
        return new MountEntry(
                1, 0, Path.of("/"), directory.resolve(name), "rw", List.of(), type, type, options);
    }

    private static void await(Path file, String content) throws Exception {
        long end = System.nanoTime() + LIMIT.toNanos();
        while (!Files.readString(file).equals(content) && System.nanoTime() < end) {
            TimeUnit.MILLISECONDS.sleep(5);
        }
        assertThat(file).hasContent(content);
    }
}
