package io.crema.oci.monitor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.oci.lab.OciLab;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxMounts.MountEntry;
import io.crema.oci.linux.LinuxProcesses.SpawnRequest;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.process.Child;
import io.crema.oci.process.Children;
import io.crema.oci.process.PollLoop;
import io.crema.oci.runtime.OciRuntimeException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The machine's own hierarchies for the tests tagged root, directories that look so for others. */
class CgroupDirectoriesTest {
    private static final int SIGKILL = 9;

    private final Linux linux = JnaLinux.load();
    private final PollLoop loop = PollLoop.start(linux);
    private final Children children = new Children(linux, loop);
    private final List<Child> started = new ArrayList<>();
    private final String cgroup = "/crema-lab-" + ContainerId.random().shortForm();
    @TempDir private Path directory;

    @AfterEach
    void close() throws Exception {
        for (Child child : started) {
            child.killGroup(SIGKILL);
            child.exit().get(20, TimeUnit.SECONDS);
        }
        new CgroupDirectories(linux, children).destroy(cgroup, soon());
        loop.close();
    }

    private static final SpawnRequest SLEEP =
            new SpawnRequest(
                    Path.of("/bin/sleep"),
                    List.of("/bin/sleep", "100000"),
                    Map.of(),
                    Map.of(),
                    false);

    private CgroupDirectories directories(boolean hasShell, MountEntry... mounts) {
        return new CgroupDirectories(linux, children, hasShell, () -> List.of(mounts));
    }

    private Child start(CgroupDirectories directories, String where) {
        Child child = directories.start(where, SLEEP, soon());
        started.add(child);
        return child;
    }

    /** The shell on its way has become what it was told to become. */
    private static void awaitSleep(Child child) {
        // Between the two the command line is empty for a moment.
        OciLab.until("sleep runs", () -> commandLine(child).startsWith("/bin/sleep\0"));
    }

    private static String commandLine(Child child) {
        try {
            return Files.readString(Path.of("/proc/" + child.pid() + "/cmdline"));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static Deadline soon() {
        return Deadline.after(OciLab.LONG);
    }

    private static MountEntry mount(Path point, String type, String superOptions) {
        return new MountEntry(1, 0, Path.of("/"), point, "rw", List.of(), type, type, superOptions);
    }

    @Test
    void movesItselfOnVersion1() {
        Path memory = directory.resolve("memory");
        Child child =
                start(
                        directories(
                                true,
                                mount(memory, "cgroup", "rw,memory"),
                                mount(directory, "ext4", "rw"),
                                mount(directory.resolve("again"), "cgroup", "rw,memory")),
                        "pod/monitor");
        awaitSleep(child);
        assertThat(memory.resolve("pod/monitor/tasks")).hasContent("0");
        assertThat(memory.resolve("pod/monitor/cgroup.procs")).doesNotExist();
        assertThat(directory.resolve("again")).doesNotExist();
    }

    @Test
    void isMovedWithoutAShellAndOnVersion2() {
        for (String type : List.of("cgroup", "cgroup2")) {
            Path point = directory.resolve(type);
            Child child =
                    start(directories(type.equals("cgroup2"), mount(point, type, "rw")), "/m/n");
            assertThat(point.resolve("m/n/cgroup.procs")).hasContent(Integer.toString(child.pid()));
            assertThat(point.resolve("m/n/tasks")).doesNotExist();
            awaitSleep(child);
        }
    }

    @Test
    void childIsKilledWhenItCannotBeMoved() throws Exception {
        Path unified = directory.resolve("unified");
        Files.createDirectories(unified.resolve("m/cgroup.procs")); // not writable
        CgroupDirectories v2 = directories(true, mount(unified, "cgroup2", "rw"));
        assertThatThrownBy(() -> start(v2, "m"))
                .isInstanceOf(OciRuntimeException.class)
                .hasMessageContaining("m/cgroup.procs");
        assertThat(started).isEmpty();
    }

    @Test
    void nothingIsRunWhereItCannotMove() throws Exception {
        Path memory = directory.resolve("memory");
        Files.createDirectories(memory.resolve("m/tasks"));
        Child child = start(directories(true, mount(memory, "cgroup", "rw,memory")), "m");
        assertThat(child.exit().get(20, TimeUnit.SECONDS).isSuccess()).isFalse();
    }

    @Test
    void placeMustBeOfItsOwn() {
        CgroupDirectories any = directories(true);
        for (String where : List.of("", "/", "a/..", "../..")) {
            assertThatThrownBy(() -> start(any, where))
                    .as(where)
                    .isInstanceOf(IllegalArgumentException.class);
        }
        assertThatThrownBy(() -> start(any, "m"))
                .isInstanceOf(OciRuntimeException.class)
                .hasMessageContaining("no cgroup file system");
    }

    @Test
    @Tag("root")
    void realHierarchies() throws Exception {
        CgroupDirectories real = new CgroupDirectories(linux, children);
        Child child = start(real, cgroup + "/m");
        awaitSleep(child);
        List<String> own = Files.readAllLines(Path.of("/proc/self/cgroup"));
        for (String line : Files.readAllLines(Path.of("/proc/" + child.pid() + "/cgroup"))) {
            if (own.size() == 1 || !line.startsWith("0::")) {
                assertThat(line).endsWith(cgroup + "/m");
            }
        }
        assertThatThrownBy(() -> real.remove(cgroup + "/m", Deadline.after(Duration.ofMillis(50))))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining(cgroup);
        real.destroy(cgroup, soon());
        assertThat(child.exit().get(20, TimeUnit.SECONDS).signal()).isEqualTo(SIGKILL);
        real.destroy(cgroup, soon());
        real.remove(cgroup + "/m", soon());
        try (var hierarchies = Files.list(Path.of("/sys/fs/cgroup"))) {
            assertThat(hierarchies.map(path -> path.resolve(cgroup.substring(1))))
                    .noneMatch(Files::exists);
        }
    }

    @Test
    @Tag("root")
    void realVersion2Alone() throws IOException {
        MountEntry unified =
                linux.mounts().stream()
                        .filter(mount -> mount.type().equals("cgroup2"))
                        .findFirst()
                        .orElseThrow();
        CgroupDirectories v2 = directories(true, unified);
        Child child = start(v2, cgroup + "/m");
        assertThat(Files.readAllLines(Path.of("/proc/" + child.pid() + "/cgroup")))
                .contains("0::" + cgroup + "/m");
        v2.destroy(cgroup, soon());
    }
}
