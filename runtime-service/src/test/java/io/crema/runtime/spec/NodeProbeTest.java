package io.crema.runtime.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.runtime.cgroup.CgroupHierarchies;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalInt;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NodeProbeTest {
    @TempDir Path root;

    @BeforeEach
    void makeNode() throws IOException {
        write(
                "proc/self/status",
                """
                Name:\tjava
                CapPrm:\t0000000000000001
                CapBnd:\t000001fffeffffff
                Seccomp:\t0
                Threads:\t1
                """);
        write("proc/sys/kernel/osrelease", "6.18.44-fc-v669\n");
        write("proc/self/oom_score_adj", "-999\n");
        write("proc/sys/user/max_user_namespaces", "95000\n");
        write("proc/self/mountinfo", "1 0 0:1 / / rw - ext4 /dev/vda rw\n");
    }

    private void write(String file, String content) throws IOException {
        Path path = root.resolve(file);
        Files.createDirectories(path.getParent());
        Files.writeString(path, content);
    }

    private void unified() throws IOException {
        write(
                "proc/self/mountinfo",
                """
                1 0 0:1 / / rw - ext4 /dev/vda rw
                31 1 0:28 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate
                40 1 0:28 / /var/lib/x/sys/fs/cgroup rw - cgroup2 cgroup2 rw
                """);
        write("sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids\n");
    }

    private void hybrid() throws IOException {
        write(
                "proc/self/mountinfo",
                """
                1 0 0:1 / / rw - ext4 /dev/vda rw
                31 1 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
                32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
                35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
                40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd
                41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
                """);
        write("sys/fs/cgroup/unified/cgroup.controllers", "hugetlb\n");
    }

    private NodeFacts detect() {
        return new NodeProbe(root).detect(OptionalInt.of(0));
    }

    @Test
    void readsWhatTheDaemonIs() throws IOException {
        unified();

        NodeFacts node = detect();

        assertThat(node.boundingCapabilities()).hasSize(40).doesNotContain(Capability.SYS_RESOURCE);
        assertThat(node.seccomp()).isTrue();
        assertThat(node.kernel()).isEqualTo(new KernelVersion(6, 18));
        assertThat(node.oomScoreAdjustment()).isEqualTo(-999);
        assertThat(node.lowestOomScoreAdjustment()).hasValue(0);
        assertThat(node.userNamespaces()).isTrue();
        assertThat(node.appArmor()).isFalse();
        assertThat(node.selinux()).isFalse();
    }

    @Test
    void findsVersion2() throws IOException {
        unified();
        write("sys/fs/cgroup/system.slice/memory.swap.max", "max\n");

        NodeFacts node = detect();

        assertThat(node.cgroups().version()).isEqualTo(CgroupHierarchies.Version.V2);
        assertThat(node.cgroups().roots()).containsExactly(root.resolve("sys/fs/cgroup"));
        assertThat(node.cgroups().has("memory")).isTrue();
        assertThat(node.cgroups().has("freezer")).isFalse();
        assertThat(node.hugePages()).isTrue();
        assertThat(node.swapAccounting()).isTrue();
    }

    @Test
    void findsVersion2WithoutSwapAccounting() throws IOException {
        unified();
        write("sys/fs/cgroup/system.slice/memory.max", "max\n");

        assertThat(detect().swapAccounting()).isFalse();
    }

    @Test
    void findsTheHybridLayout() throws IOException {
        hybrid();
        write("sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", "1\n");

        NodeFacts node = detect();

        assertThat(node.cgroups().version()).isEqualTo(CgroupHierarchies.Version.V1);
        assertThat(node.cgroups().mounts())
                .containsOnlyKeys("cpu", "cpuacct", "memory", "name=systemd");
        assertThat(node.cgroups().roots())
                .containsExactly(
                        root.resolve("sys/fs/cgroup/cpu,cpuacct"),
                        root.resolve("sys/fs/cgroup/memory"),
                        root.resolve("sys/fs/cgroup/systemd"),
                        root.resolve("sys/fs/cgroup/unified"));
        // It is a controller of version 2 there, which no container of version 1 can use.
        assertThat(node.hugePages()).isFalse();
        assertThat(node.swapAccounting()).isTrue();
    }

    @Test
    void saysWhatToDoWithoutCgroups() {
        assertThatThrownBy(this::detect)
                .isInstanceOf(PodException.class)
                .hasMessageContaining("mount -t cgroup2");
    }

    @Test
    void findsSecurityModules() throws IOException {
        unified();
        write("sys/module/apparmor/parameters/enabled", "Y\n");
        write("sys/fs/selinux/enforce", "1");

        assertThat(detect().appArmor()).isTrue();
        assertThat(detect().selinux()).isTrue();

        write("sys/module/apparmor/parameters/enabled", "N\n");
        assertThat(detect().appArmor()).isFalse();
    }

    @Test
    void namesHugePagesAsTheControllerDoes() throws IOException {
        unified();
        write("sys/kernel/mm/hugepages/hugepages-64kB/nr_hugepages", "0");
        write("sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0");
        write("sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "0");

        assertThat(detect().hugePageSizes()).containsExactlyInAnyOrder("64KB", "2MB", "1GB");
    }

    @Test
    void findsLoadedProfiles() throws IOException {
        write(
                "sys/kernel/security/apparmor/profiles",
                "crema-default (enforce)\nwith space (complain)\n");
        AppArmorProfiles profiles = AppArmorProfiles.loadedElsewhere(root);

        assertThat(profiles.isLoaded("crema-default")).isTrue();
        assertThat(profiles.isLoaded("with space")).isTrue();
        assertThat(profiles.isLoaded("crema")).isFalse();
        assertThat(AppArmorProfiles.loadedElsewhere(root.resolve("none")).isLoaded("x")).isFalse();
    }

    @ParameterizedTest
    @CsvSource({"6.18.44-fc-v669, 6, 18", "4.8, 4, 8", "5.10.0-33-amd64, 5, 10", "6.1-rc1, 6, 1"})
    void readsKernelReleases(String release, int major, int minor) {
        assertThat(KernelVersion.parse(release)).isEqualTo(new KernelVersion(major, minor));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "6", "6.", "x.1", "6-1", "99999999.1"})
    void refusesOtherReleases(String release) {
        assertThatThrownBy(() -> KernelVersion.parse(release))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void comparesVersionsByNumbers() {
        assertThat(new KernelVersion(5, 12)).isGreaterThan(new KernelVersion(5, 9));
        assertThat(new KernelVersion(6, 0)).isGreaterThan(new KernelVersion(5, 12));
        assertThat(new KernelVersion(5, 12).isAtLeast(5, 12)).isTrue();
    }

    @ParameterizedTest
    @CsvSource({"amd64, amd64", "x86_64, amd64", "aarch64, arm64", "s390x, s390x"})
    void namesArchitecturesAsGoDoes(String java, String go) {
        assertThat(NodeProbe.architecture(java)).isEqualTo(go);
    }
}
