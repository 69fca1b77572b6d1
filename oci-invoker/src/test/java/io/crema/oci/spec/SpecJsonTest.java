package io.crema.oci.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.oci.spec.ContainerProcess.Capabilities;
import io.crema.oci.spec.ContainerProcess.Rlimit;
import io.crema.oci.spec.ContainerProcess.User;
import io.crema.oci.spec.LinuxResources.Cpu;
import io.crema.oci.spec.LinuxResources.DeviceRule;
import io.crema.oci.spec.LinuxResources.HugepageLimit;
import io.crema.oci.spec.LinuxResources.Memory;
import io.crema.oci.spec.LinuxResources.Pids;
import io.crema.oci.spec.LinuxSeccomp.Argument;
import io.crema.oci.spec.LinuxSeccomp.Syscall;
import io.crema.oci.spec.LinuxSpec.Device;
import io.crema.oci.spec.LinuxSpec.Namespace;
import io.crema.oci.spec.RuntimeSpec.Hook;
import io.crema.oci.spec.RuntimeSpec.Hooks;
import io.crema.oci.spec.RuntimeSpec.IdMapping;
import io.crema.oci.spec.RuntimeSpec.Mount;
import io.crema.oci.spec.RuntimeSpec.Root;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class SpecJsonTest {
    private static String text(byte[] json) {
        return new String(json, StandardCharsets.UTF_8);
    }

    private static ContainerProcess process(Capabilities capabilities) {
        return new ContainerProcess(
                false,
                new User(0, 0, null, List.of()),
                List.of("/bin/true"),
                List.of(),
                "/",
                capabilities,
                List.of(),
                false,
                null,
                null,
                null);
    }

    @Test
    void leavesOutWhatIsAbsentAndKeepsZeroAndFalse() {
        RuntimeSpec spec =
                new RuntimeSpec(
                        RuntimeSpec.VERSION,
                        process(Capabilities.none()),
                        new Root("rootfs", false),
                        null,
                        List.of(),
                        null,
                        Map.of(),
                        LinuxSpec.none());

        assertThat(text(SpecJson.write(spec)))
                .isEqualTo(
                        """
                        {"ociVersion":"1.0.2",\
                        "process":{"terminal":false,"user":{"uid":0,"gid":0},"args":["/bin/true"],\
                        "cwd":"/","capabilities":{},"noNewPrivileges":false},\
                        "root":{"path":"rootfs","readonly":false},"linux":{"resources":{}}}\
                        """);
    }

    @Test
    void writesMapsInTheOrderOfTheirKeys() {
        RuntimeSpec spec =
                new RuntimeSpec(
                        RuntimeSpec.VERSION,
                        process(Capabilities.none()),
                        new Root("rootfs", false),
                        null,
                        List.of(),
                        null,
                        Map.of("c", "3", "a", "1", "b", "2"),
                        LinuxSpec.none());

        assertThat(text(SpecJson.write(spec)))
                .contains("\"annotations\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}");
    }

    @Test
    void writesNumbersOf64BitsWithoutSign() {
        assertThat(text(SpecJson.write(process(Capabilities.none())))).doesNotContain("rlimits");
        ContainerProcess limited =
                new ContainerProcess(
                        false,
                        new User(0, 0, null, List.of()),
                        List.of("true"),
                        List.of(),
                        "/",
                        Capabilities.none(),
                        List.of(new Rlimit("RLIMIT_CORE", UnsignedLong.MAX, UnsignedLong.of(0))),
                        false,
                        null,
                        null,
                        null);

        assertThat(text(SpecJson.write(limited)))
                .contains(
                        "\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"hard\":18446744073709551615,\"soft\":0}]");
    }

    @Test
    void writesResourcesAsUpdateTakesThem() {
        LinuxResources resources =
                new LinuxResources(
                        List.of(),
                        new Memory(64L << 20, null, 64L << 20),
                        new Cpu(2L, null, null, "0-1", null),
                        new Pids(100),
                        List.of(new HugepageLimit("2MB", UnsignedLong.of(0))),
                        Map.of());

        assertThat(text(SpecJson.write(resources)))
                .isEqualTo(
                        """
                        {"memory":{"limit":67108864,"swap":67108864},\
                        "cpu":{"shares":2,"cpus":"0-1"},"pids":{"limit":100},\
                        "hugepageLimits":[{"pageSize":"2MB","limit":0}]}\
                        """);
        assertThat(text(SpecJson.write(LinuxResources.none()))).isEqualTo("{}");
    }

    @Test
    void readsBackWhatItWrote() throws IOException {
        Hook hook = new Hook("/bin/hook", List.of("hook", "x"), List.of("A=b"), 3);
        RuntimeSpec spec =
                new RuntimeSpec(
                        RuntimeSpec.VERSION,
                        new ContainerProcess(
                                true,
                                new User(1000, 1001, 0022, List.of(1001L, 4_294_967_294L)),
                                List.of("sh", "-c", "echo \u00e9\n\t\"\\"),
                                List.of("PATH=/bin", "EMPTY="),
                                "/work",
                                new Capabilities(
                                        List.of("CAP_KILL"),
                                        List.of("CAP_KILL"),
                                        List.of(),
                                        List.of("CAP_KILL"),
                                        List.of()),
                                List.of(
                                        new Rlimit(
                                                "RLIMIT_CORE",
                                                UnsignedLong.MAX,
                                                UnsignedLong.of(5))),
                                true,
                                -998,
                                "crema-default",
                                "system_u:system_r:container_t:s0"),
                        new Root("/rootfs", true),
                        "pod",
                        List.of(
                                Mount.of("/proc", "proc", "proc", List.of("nosuid")),
                                new Mount(
                                        "/data",
                                        "bind",
                                        "/srv",
                                        List.of("rbind", "rro"),
                                        List.of(new IdMapping(0, 100_000, 65_536)),
                                        List.of(new IdMapping(0, 100_000, 65_536)))),
                        new Hooks(
                                List.of(hook),
                                List.of(),
                                List.of(hook),
                                List.of(),
                                List.of(),
                                List.of(hook)),
                        Map.of("a", "b"),
                        new LinuxSpec(
                                List.of(new IdMapping(0, 1, 2)),
                                List.of(new IdMapping(3, 4, 5)),
                                Map.of("kernel.shmmax", "1"),
                                new LinuxResources(
                                        List.of(
                                                new DeviceRule(false, null, null, null, "rwm"),
                                                new DeviceRule(true, "c", 136L, null, "rw")),
                                        new Memory(1L, 2L, -1L),
                                        new Cpu(1L, -1L, 3L, "0", "1"),
                                        new Pids(9),
                                        List.of(new HugepageLimit("2MB", UnsignedLong.MAX)),
                                        Map.of("memory.oom.group", "1")),
                                "/pod/crio-1",
                                List.of(new Namespace("pid", null), new Namespace("ipc", "/p")),
                                List.of(new Device("c", "/dev/x", 1L, 2L, 0600, 3L, 4L)),
                                new LinuxSeccomp(
                                        "SCMP_ACT_ERRNO",
                                        38,
                                        List.of("SCMP_ARCH_X86_64"),
                                        List.of("SECCOMP_FILTER_FLAG_LOG"),
                                        "/run/listener",
                                        "meta",
                                        List.of(
                                                new Syscall(
                                                        List.of("clone"),
                                                        "SCMP_ACT_ALLOW",
                                                        1,
                                                        List.of(
                                                                new Argument(
                                                                        0,
                                                                        UnsignedLong.MAX,
                                                                        UnsignedLong.of(0),
                                                                        "SCMP_CMP_MASKED_EQ"))))),
                                "rslave",
                                List.of("/proc/kcore"),
                                List.of("/proc/sys"),
                                "label"));

        byte[] json = SpecJson.write(spec);

        assertThat(SpecJson.read(json)).isEqualTo(spec);
        assertThat(SpecJson.write(SpecJson.read(json))).isEqualTo(json);
    }

    @Test
    void writesWhatOnlyFewContainersHaveByTheNamesOfTheSpecification() {
        assertThat(
                        text(
                                SpecJson.write(
                                        new ContainerProcess(
                                                false,
                                                new User(0, 0, null, List.of()),
                                                List.of("sh"),
                                                List.of(),
                                                "/",
                                                Capabilities.none(),
                                                List.of(),
                                                false,
                                                null,
                                                null,
                                                null,
                                                new ContainerProcess.Scheduler(
                                                        "SCHED_FIFO",
                                                        null,
                                                        2,
                                                        List.of("SCHED_FLAG_RECLAIM"),
                                                        null,
                                                        null,
                                                        UnsignedLong.of(3)),
                                                new ContainerProcess.IoPriority(
                                                        "IOPRIO_CLASS_BE", 0)))))
                .endsWith(
                        """
                        "scheduler":{"policy":"SCHED_FIFO","priority":2,\
                        "flags":["SCHED_FLAG_RECLAIM"],"period":3},\
                        "ioPriority":{"class":"IOPRIO_CLASS_BE","priority":0}}\
                        """);
        assertThat(
                        text(
                                SpecJson.write(
                                        new LinuxResources(
                                                List.of(),
                                                new Memory(null, 1L, null, 2L, 0L, true),
                                                new Cpu(null, null, null, null, null, 3L, 4L),
                                                null,
                                                List.of(),
                                                Map.of()))))
                .isEqualTo(
                        """
                        {"memory":{"reservation":1,"kernelTCP":2,"swappiness":0,\
                        "disableOOMKiller":true},\
                        "cpu":{"realtimeRuntime":3,"realtimePeriod":4}}\
                        """);
    }

    @Test
    void refusesSpecificationsWithoutTheirMainParts() {
        assertThatThrownBy(() ->
                        SpecJson.read(
                                "{\"ociVersion\":\"1.0.2\"}".getBytes(StandardCharsets.UTF_8)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("process");
    }

    @Test
    void refusesNumbersThatDoNotFit() {
        byte[] json =
                """
                {"ociVersion":"1.0.2","process":{"rlimits":[{"type":"RLIMIT_CORE",\
                "hard":18446744073709551616,"soft":0}]}}\
                """
                        .getBytes(StandardCharsets.UTF_8);

        assertThatThrownBy(() -> SpecJson.read(json))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("2^64-1");
    }
}
