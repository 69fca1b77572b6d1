package io.crema.runtime.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.oci.spec.LinuxSeccomp;
import io.crema.oci.spec.LinuxSeccomp.Syscall;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class SeccompProfileTest {
    private static final KernelVersion KERNEL = new KernelVersion(6, 1);
    private static final int EPERM = 1;

    private static SeccompProfile parse(String json) {
        return SeccompProfile.parse(json.getBytes(StandardCharsets.UTF_8), "the profile");
    }

    private static LinuxSeccomp builtIn(String... capabilities) throws IOException {
        try (InputStream stream = SeccompProfile.class.getResourceAsStream("seccomp.json")) {
            return SeccompProfile.parse(stream.readAllBytes(), "built-in")
                    .resolve(Set.of(capabilities), "amd64", KERNEL);
        }
    }

    private static List<Syscall> rulesFor(LinuxSeccomp filter, String name) {
        return filter.syscalls().stream().filter(rule -> rule.names().contains(name)).toList();
    }

    private static boolean allows(LinuxSeccomp filter, String name) {
        return rulesFor(filter, name).stream()
                .anyMatch(rule -> rule.action().equals("SCMP_ACT_ALLOW") && rule.args().isEmpty());
    }

    private static boolean denies(LinuxSeccomp filter, String name) {
        return rulesFor(filter, name).stream()
                .allMatch(rule ->
                        rule.action().equals("SCMP_ACT_ERRNO")
                                && Integer.valueOf(EPERM).equals(rule.errnoRet()));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "read",
                "write",
                "openat",
                "execve",
                "futex",
                "epoll_wait",
                "mmap",
                "exit_group",
                "rt_sigreturn",
                "socketpair",
                "connect",
                "getrandom",
                "statx",
                "rseq",
                "ptrace"
            })
    void builtInAllowsWhatProgramsNeed(String name) throws IOException {
        assertThat(allows(builtIn(), name)).isTrue();
    }

    @ParameterizedTest
    @CsvSource({
        "unshare, CAP_SYS_ADMIN",
        "setns, CAP_SYS_ADMIN",
        "mount, CAP_SYS_ADMIN",
        "bpf, CAP_SYS_ADMIN",
        "bpf, CAP_BPF",
        "perf_event_open, CAP_PERFMON",
        "chroot, CAP_SYS_CHROOT",
        "reboot, CAP_SYS_BOOT",
        "init_module, CAP_SYS_MODULE",
        "settimeofday, CAP_SYS_TIME",
        "syslog, CAP_SYSLOG",
        "open_by_handle_at, CAP_DAC_READ_SEARCH",
        "iopl, CAP_SYS_RAWIO",
        "mbind, CAP_SYS_NICE"
    })
    void builtInAllowsSomeWithTheirCapabilityOnly(String name, String capability)
            throws IOException {
        assertThat(rulesFor(builtIn(), name)).hasSize(1);
        assertThat(denies(builtIn(), name)).isTrue();
        assertThat(rulesFor(builtIn(capability), name)).hasSize(1);
        assertThat(allows(builtIn(capability), name)).isTrue();
    }

    @ParameterizedTest
    @ValueSource(strings = {"keyctl", "add_key", "kexec_load", "userfaultfd", "io_uring_setup"})
    void builtInDeniesSomeToAll(String name) throws IOException {
        assertThat(rulesFor(builtIn("CAP_SYS_ADMIN"), name)).hasSize(1);
        assertThat(denies(builtIn("CAP_SYS_ADMIN"), name)).isTrue();
    }

    @Test
    void builtInAllowsCloneWithoutNewNamespacesOnly() throws IOException {
        List<Syscall> rules = rulesFor(builtIn(), "clone");

        assertThat(rules).hasSize(1);
        assertThat(rules.getFirst().args())
                .singleElement()
                .satisfies(argument -> {
                    assertThat(argument.op()).isEqualTo("SCMP_CMP_MASKED_EQ");
                    assertThat(argument.value().bits()).isEqualTo(0x7E020000L);
                });
        assertThat(rulesFor(builtIn(), "clone3")).isEmpty();
        assertThat(builtIn().defaultErrnoRet()).isEqualTo(38); // ENOSYS
        assertThat(allows(builtIn("CAP_SYS_ADMIN"), "clone")).isTrue();
        assertThat(allows(builtIn("CAP_SYS_ADMIN"), "clone3")).isTrue();
        assertThat(rulesFor(builtIn("CAP_SYS_ADMIN"), "clone")).hasSize(1);
    }

    // libseccomp refuses, or silently merges, contradictions.
    @ParameterizedTest
    @ValueSource(strings = {"", "CAP_SYS_ADMIN", "CAP_BPF", "all"})
    void builtInNeverContradictsItself(String capabilities) throws IOException {
        LinuxSeccomp filter =
                capabilities.equals("all")
                        ? builtIn(
                                Stream.of(Capability.values())
                                        .map(Capability::specName)
                                        .toArray(String[]::new))
                        : capabilities.isEmpty() ? builtIn() : builtIn(capabilities);
        Map<String, Syscall> unconditional = new HashMap<>();
        for (Syscall rule : filter.syscalls()) {
            for (String name : rule.names()) {
                if (rule.args().isEmpty()) {
                    assertThat(unconditional.put(name, rule)).as(name).isNull();
                }
            }
        }
        for (Syscall rule : filter.syscalls()) {
            if (!rule.args().isEmpty()) {
                assertThat(unconditional).doesNotContainKeys(rule.names().toArray(String[]::new));
            }
        }
    }

    @Test
    void namesTheArchitectureAndThoseThatRunOnIt() throws IOException {
        assertThat(builtIn().architectures())
                .containsExactly("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32");
    }

    private static final String CONDITIONS =
            """
            {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_MIPS"],
             "unknown": 1, "syscalls": [
              {"names": ["always"], "action": "SCMP_ACT_ALLOW"},
              {"name": "legacy", "action": "SCMP_ACT_ALLOW"},
              {"names": ["arm"], "action": "SCMP_ACT_ALLOW", "includes": {"arches": ["arm64"]}},
              {"names": ["notarm"], "action": "SCMP_ACT_ALLOW", "excludes": {"arches": ["arm64"]}},
              {"names": ["both"], "action": "SCMP_ACT_ALLOW",
               "includes": {"caps": ["CAP_A", "CAP_B"]}},
              {"names": ["neither"], "action": "SCMP_ACT_ALLOW",
               "excludes": {"caps": ["CAP_A", "CAP_B"]}},
              {"names": ["new"], "action": "SCMP_ACT_ALLOW", "includes": {"minKernel": "6.0"}},
              {"names": ["old"], "action": "SCMP_ACT_ALLOW", "excludes": {"minKernel": "6.0"}}
             ]}
            """;

    @ParameterizedTest
    @CsvSource({
        "'', amd64, 6.1, always legacy notarm neither new",
        "'', arm64, 6.1, always legacy arm neither new",
        "CAP_A, amd64, 5.19, always legacy notarm old",
        "CAP_A CAP_B, amd64, 6.0, always legacy notarm both new"
    })
    void appliesConditions(
            String capabilities, String architecture, String kernel, String expected) {
        LinuxSeccomp filter =
                parse(CONDITIONS)
                        .resolve(
                                capabilities.isEmpty()
                                        ? Set.of()
                                        : Set.of(capabilities.split(" ", -1)),
                                architecture,
                                KernelVersion.parse(kernel));

        assertThat(filter.syscalls().stream().flatMap(rule -> rule.names().stream()))
                .containsExactly(expected.split(" ", -1));
        assertThat(filter.architectures()).containsExactly("SCMP_ARCH_MIPS");
        assertThat(filter.defaultErrnoRet()).isNull();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "not JSON",
                "null",
                "[]",
                "{}",
                "{\"defaultAction\": \"ALLOW\"}",
                "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"x\"]}]}",
                "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"action\":"
                        + " \"SCMP_ACT_ERRNO\"}]}",
                "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"x\"],"
                        + " \"action\": \"DENY\"}]}",
                "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"x\"],"
                        + " \"action\": \"SCMP_ACT_ERRNO\", \"includes\": {\"minKernel\":"
                        + " \"new\"}}]}",
                "{\"defaultAction\": \"SCMP_ACT_ALLOW\", \"syscalls\": [{\"names\": [\"x\"],"
                        + " \"action\": \"SCMP_ACT_ERRNO\", \"args\": [{\"index\": 0, \"value\":"
                        + " -1, \"op\": \"SCMP_CMP_EQ\"}]}]}"
            })
    void refusesWhatIsNoProfile(String json) {
        assertThatThrownBy(() -> parse(json))
                .isInstanceOf(PodException.class)
                .hasMessageContaining("the profile is not a seccomp profile");
    }
}
