package io.crema.runtime.cgroup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.oci.linux.LinuxProcesses;
import io.crema.oci.spec.LinuxResources;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.IntConsumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** With plain files in the kernel's place; the real thing is in CgroupsRootTest. */
class CgroupsTest {
    private static final CgroupPath CGROUP = new CgroupPath("/pod/crio-1");
    private static final Deadline SOON = Deadline.after(Duration.ofMillis(100));

    @TempDir Path root;
    private final List<Integer> killed = new ArrayList<>();
    private IntConsumer onKill = pid -> {};

    private Cgroups version1() {
        return new Cgroups(
                new CgroupHierarchies(
                        CgroupHierarchies.Version.V1,
                        Map.of(
                                "memory",
                                root.resolve("memory"),
                                "freezer",
                                root.resolve("freezer"),
                                "cpu",
                                root.resolve("cpu"),
                                "cpuacct",
                                root.resolve("cpu")),
                        Optional.empty(),
                        Set.of()),
                processes());
    }

    private Cgroups version2() {
        return new Cgroups(
                new CgroupHierarchies(
                        CgroupHierarchies.Version.V2,
                        Map.of(),
                        Optional.of(root),
                        Set.of("memory", "cpu", "pids")),
                processes());
    }

    private LinuxProcesses processes() {
        return (LinuxProcesses)
                Proxy.newProxyInstance(
                        CgroupsTest.class.getClassLoader(),
                        new Class<?>[] {LinuxProcesses.class},
                        (proxy, method, arguments) -> {
                            if (!method.getName().equals("kill") || (int) arguments[1] != 9) {
                                throw new UnsupportedOperationException(method.toString());
                            }
                            killed.add((int) arguments[0]);
                            onKill.accept((int) arguments[0]);
                            return true;
                        });
    }

    private Path write(String file, String content) {
        try {
            Path path = root.resolve(file);
            Files.createDirectories(path.getParent());
            return Files.writeString(path, content);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String read(String file) throws IOException {
        return Files.readString(root.resolve(file));
    }

    @Test
    void makesADirectoryInEveryHierarchyOnce() {
        Cgroups cgroups = version1();

        cgroups.create(CGROUP);
        cgroups.create(CGROUP);

        assertThat(root.resolve("memory/pod/crio-1")).isDirectory();
        assertThat(root.resolve("freezer/pod/crio-1")).isDirectory();
        assertThat(root.resolve("cpu/pod/crio-1")).isDirectory();
        assertThat(cgroups.hierarchies().roots()).hasSize(3);

        version2().create(CGROUP);
        assertThat(root.resolve("pod/crio-1")).isDirectory();
    }

    @Test
    void removesWithWhatIsInside() throws IOException {
        Cgroups cgroups = version1();
        cgroups.create(CGROUP);
        Files.createDirectories(root.resolve("memory/pod/crio-1/a/b"));

        cgroups.remove(CGROUP, SOON);
        cgroups.remove(CGROUP, SOON);

        assertThat(root.resolve("memory/pod")).isEmptyDirectory();
        assertThat(root.resolve("freezer/pod")).isEmptyDirectory();
    }

    @Test
    void saysWhoIsInACgroupThatCannotBeRemoved() {
        write("pod/crio-1/cgroup.procs", "41\n42\n");

        assertThatThrownBy(() -> version2().remove(CGROUP, SOON))
                .isInstanceOf(PodException.class)
                .hasMessageContaining("processes [41, 42] are in it")
                .extracting(error -> ((PodException) error).kind())
                .isEqualTo(ErrorKind.DEADLINE_EXCEEDED);
    }

    @Test
    void listsProcessesAlsoOfInnerCgroups() {
        write("pod/crio-1/cgroup.procs", "41\n42\n");
        write("pod/crio-1/container/cgroup.procs", "43\n0\n");

        assertThat(version2().processes(CGROUP)).containsExactly(41, 42, 43);
        assertThat(version2().processes(new CgroupPath("/none"))).isEmpty();
    }

    @Test
    void killsByTheKernelWhereItCan() throws IOException {
        Path kill = write("pod/crio-1/cgroup.kill", "");
        write("pod/crio-1/cgroup.procs", "");

        version2().killAll(CGROUP, SOON);

        assertThat(Files.readString(kill)).isEqualTo("1");
        assertThat(killed).isEmpty();
    }

    @Test
    void killsEachProcessOtherwise() {
        Path processes = write("pod/crio-1/cgroup.procs", "41\n42\n");
        onKill =
                pid -> {
                    if (pid == 42) {
                        write(root.relativize(processes).toString(), "");
                    }
                };

        version2().killAll(CGROUP, SOON);

        assertThat(killed).containsExactly(41, 42);
    }

    @Test
    void freezesWhileItKills() throws IOException {
        write("freezer/pod/crio-1/freezer.state", "THAWED");
        write("freezer/pod/crio-1/cgroup.procs", "41\n");
        List<String> states = new ArrayList<>();
        onKill =
                pid -> {
                    try {
                        states.add(read("freezer/pod/crio-1/freezer.state"));
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                    write("freezer/pod/crio-1/cgroup.procs", "");
                };

        version1().killAll(CGROUP, SOON);

        assertThat(states).containsExactly("FROZEN");
        assertThat(read("freezer/pod/crio-1/freezer.state")).startsWith("THAWED");
    }

    @Test
    void givesUpOnProcessesThatDoNotEnd() {
        write("pod/crio-1/cgroup.procs", "41\n");

        assertThatThrownBy(() -> version2().killAll(CGROUP, SOON))
                .isInstanceOf(PodException.class)
                .hasMessageContaining("processes [41] of the cgroup /pod/crio-1 survive SIGKILL");
    }

    @Test
    void killsNobodyInACgroupThatIsGone() {
        version1().killAll(CGROUP, SOON);
        version2().killAll(CGROUP, SOON);

        assertThat(killed).isEmpty();
    }

    private static LinuxResources resources() {
        return new LinuxResources(
                List.of(),
                new LinuxResources.Memory(1000L, 500L, 1500L),
                new LinuxResources.Cpu(1024L, 50_000L, null, null, null),
                new LinuxResources.Pids(7),
                List.of(),
                Map.of("memory.oom.group", "1"));
    }

    @Test
    void writesLimitsOfVersion2() throws IOException {
        for (String name :
                List.of(
                        "memory.max",
                        "memory.low",
                        "memory.swap.max",
                        "cpu.weight",
                        "cpu.max",
                        "pids.max",
                        "memory.oom.group")) {
            write("pod/crio-1/" + name, "");
        }

        version2().apply(CGROUP, resources());

        assertThat(read("pod/crio-1/memory.max")).isEqualTo("1000");
        assertThat(read("pod/crio-1/memory.low")).isEqualTo("500");
        assertThat(read("pod/crio-1/memory.swap.max")).isEqualTo("500");
        assertThat(read("pod/crio-1/cpu.weight")).isEqualTo("39");
        assertThat(read("pod/crio-1/cpu.max")).isEqualTo("50000 100000");
        assertThat(read("pod/crio-1/pids.max")).isEqualTo("7");
        assertThat(read("pod/crio-1/memory.oom.group")).isEqualTo("1");
        assertThat(version2().memoryLimit(CGROUP)).hasValue(1000);
    }

    @Test
    void writesLimitsOfVersion1() throws IOException {
        for (String name :
                List.of(
                        "memory/pod/crio-1/memory.limit_in_bytes",
                        "memory/pod/crio-1/memory.soft_limit_in_bytes",
                        "memory/pod/crio-1/memory.memsw.limit_in_bytes",
                        "cpu/pod/crio-1/cpu.shares",
                        "cpu/pod/crio-1/cpu.cfs_period_us",
                        "cpu/pod/crio-1/cpu.cfs_quota_us")) {
            write(name, "");
        }
        LinuxResources withoutPids =
                new LinuxResources(
                        List.of(),
                        resources().memory(),
                        resources().cpu(),
                        null,
                        List.of(),
                        Map.of());

        version1().apply(CGROUP, withoutPids);

        assertThat(read("memory/pod/crio-1/memory.limit_in_bytes")).isEqualTo("1000");
        assertThat(read("memory/pod/crio-1/memory.soft_limit_in_bytes")).isEqualTo("500");
        assertThat(read("memory/pod/crio-1/memory.memsw.limit_in_bytes")).isEqualTo("1500");
        assertThat(read("cpu/pod/crio-1/cpu.shares")).isEqualTo("1024");
        assertThat(read("cpu/pod/crio-1/cpu.cfs_quota_us")).isEqualTo("50000");
        assertThat(read("cpu/pod/crio-1/cpu.cfs_period_us")).isEqualTo("100000");
    }

    @Test
    void aLimitWithoutItsControllerIsAnError() {
        assertThatThrownBy(() -> version2().apply(CGROUP, resources()))
                .isInstanceOf(PodException.class)
                .hasMessageContaining("cpu.weight");
    }

    @ParameterizedTest
    @CsvSource({"max, ", "9223372036854771712, ", "1000, 1000", "-1, "})
    void readsNoLimitInEitherVersion(String text, @Nullable Long expected) {
        write("pod/crio-1/memory.max", text + "\n");
        write("memory/pod/crio-1/memory.limit_in_bytes", text + "\n");

        for (Cgroups cgroups : List.of(version1(), version2())) {
            var limit = cgroups.memoryLimit(CGROUP);
            assertThat(limit.isPresent() ? Long.valueOf(limit.getAsLong()) : null)
                    .isEqualTo(expected);
        }
        assertThat(version2().memoryUsage(CGROUP)).isEmpty();
    }

    @Test
    void refusesPodsWithTooLittleMemory() {
        Cgroups cgroups = version2();
        cgroups.requireMemory(CGROUP, 1000); // no limit, as it is not there
        write("pod/crio-1/memory.max", "1000\n");
        cgroups.requireMemory(CGROUP, 1000);

        assertThatThrownBy(() -> cgroups.requireMemory(CGROUP, 1001))
                .isInstanceOf(PodException.class)
                .hasMessageContaining("the memory limit of 1000 bytes of /pod/crio-1");
    }

    @ParameterizedTest
    @CsvSource({"0, 1", "2, 1", "1024, 39", "262144, 10000", "999999999, 10000"})
    void weighsShares(long shares, long weight) {
        assertThat(CgroupLimits.weight(shares)).isEqualTo(weight);
    }

    @ParameterizedTest
    @CsvSource({"1500, 1000, 500", "1000, 1000, 0", "-1, 1000, -1", "900, 1000, 0"})
    void separatesSwapFromMemory(long both, long limit, long swap) {
        assertThat(CgroupLimits.swapOnly(both, limit)).isEqualTo(swap);
    }
}
