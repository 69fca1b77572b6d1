package io.crema.server.check;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.conf.ConfigurationLoader;
import io.crema.conf.CremaConfiguration;
import io.crema.conf.HostFacts;
import io.crema.oci.linux.Linux;
import io.crema.server.check.Finding.Grade;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A directory poses as a machine that has everything; each test takes something away. */
final class NodeCheckTest {
    @TempDir private Path machine;

    private final Map<String, String> versions = new HashMap<>();

    @BeforeEach
    void aWholeMachine() throws IOException {
        put("/proc/sys/kernel/osrelease", "6.1.0-test\n");
        put("/proc/filesystems", "nodev\ttmpfs\n\toverlay\n");
        put("/proc/self/status", "Name:\tjava\nCapEff:\t000001ffffffffff\n");
        for (String kind : new String[] {"net", "ipc", "uts", "pid", "mnt", "user"}) {
            put("/proc/self/ns/" + kind, "");
        }
        put(
                "/proc/self/mountinfo",
                "30 20 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n");
        put("/sys/fs/cgroup/cgroup.controllers", "cpuset cpu io memory hugetlb pids\n");
        put(
                "/boot/config-6.1.0-test",
                "CONFIG_BRIDGE=m\nCONFIG_VETH=y\nCONFIG_NF_TABLES=m\n# CONFIG_X is not set\n");
        put("/proc/sys/net/ipv4/ip_forward", "1\n");
        put("/proc/sys/kernel/seccomp/actions_avail", "kill_process allow\n");
        put(
                "/etc/cni/net.d/10-test.conflist",
                """
                {"cniVersion": "1.0.0", "name": "testnet", "plugins": [
                  {"type": "bridge", "ipam": {"type": "host-local"}}, {"type": "portmap"}]}
                """);
        for (String plugin : new String[] {"bridge", "host-local", "portmap"}) {
            program("/opt/cni/bin/" + plugin, "");
        }
        program("/usr/bin/runc", "runc version 1.1.5");
        program("/usr/bin/conmon", "conmon version 2.1.6");
        program("/usr/bin/catatonit", "");
        program("/usr/sbin/iptables", "");
    }

    @Test
    void aWholeMachineLacksOnlyRoot() {
        Findings findings = check();

        assertThat(findings.all())
                .filteredOn(finding -> finding.grade() != Grade.OK)
                .extracting(Finding::subject)
                .containsExactly("root");
        assertThat(findings.hasFailures()).isTrue();
        assertThat(findings.toText())
                .contains("FAIL root ")
                .contains("sudo")
                .contains("cannot run pods: 1 of the above");
        assertThat(findings.toJson()).startsWith("[{\"grade\":\"FAIL\",\"subject\":\"root\"");
    }

    @Test
    void appArmorWithoutItsParser() throws IOException {
        put("/sys/module/apparmor/parameters/enabled", "Y\n");
        assertThat(finding("access control", Grade.WARN).remedy()).contains("package apparmor");

        program("/usr/sbin/apparmor_parser", "");
        assertThat(finding("access control", Grade.OK).detail()).contains("AppArmor");
    }

    @Test
    void anOldKernel() throws IOException {
        put("/proc/sys/kernel/osrelease", "5.4.0-old\n");

        assertThat(finding("kernel", Grade.FAIL).remedy()).contains("5.6");
    }

    @Test
    void noOverlay() throws IOException {
        put("/proc/filesystems", "nodev\ttmpfs\n");

        assertThat(finding("overlayfs", Grade.FAIL).remedy()).contains("modprobe overlay");
    }

    @Test
    void aMissingNamespace() throws IOException {
        Files.delete(machine.resolve("proc/self/ns/uts"));

        assertThat(finding("namespaces", Grade.FAIL).detail()).contains("uts");
    }

    @Test
    void aMissingController() throws IOException {
        put("/sys/fs/cgroup/cgroup.controllers", "cpu pids\n");

        assertThat(finding("cgroups", Grade.FAIL).detail()).contains("memory");
    }

    @Test
    void theSystemdDriverWithoutSystemd() {
        assertThat(
                        finding(
                                        check("[crio.runtime]\ncgroup_manager = \"systemd\"\n"),
                                        "cgroups",
                                        Grade.FAIL)
                                .remedy())
                .contains("cgroupfs");
    }

    @Test
    void noDefaultRuntime() throws IOException {
        remove("/usr/bin/runc");

        assertThat(finding("runtime runc", Grade.FAIL).remedy()).contains("package runc");
    }

    @Test
    void aRuntimeThatDoesNotStart() {
        versions.remove("/usr/bin/runc");

        assertThat(finding("runtime runc", Grade.FAIL).detail()).contains("does not start");
    }

    @Test
    void anAbsentSecondRuntimeIsOnlyAWarning() {
        Finding crun =
                finding(
                        check("[crio.runtime.runtimes.crun]\nruntime_path = \"/no/crun\"\n"),
                        "runtime crun",
                        Grade.WARN);

        assertThat(crun.detail()).contains("/no/crun");
    }

    @Test
    void anOldConmon() throws IOException {
        program("/usr/bin/conmon", "conmon version 2.0.25");

        assertThat(finding("conmon", Grade.FAIL).detail()).contains("2.0.25");
    }

    @Test
    void noCatatonit() throws IOException {
        remove("/usr/bin/catatonit");

        assertThat(finding("catatonit", Grade.WARN).remedy()).contains("package catatonit");
    }

    @Test
    void noBridgeInTheKernel() throws IOException {
        put("/boot/config-6.1.0-test", "CONFIG_VETH=y\nCONFIG_NF_TABLES=y\n");

        assertThat(finding("bridge devices", Grade.WARN).remedy()).contains("modprobe bridge");
    }

    @Test
    void noPacketFilter() throws IOException {
        put("/boot/config-6.1.0-test", "CONFIG_VETH=y\nCONFIG_BRIDGE=y\n");

        assertThat(finding("packet filter", Grade.WARN).detail()).contains("nf_tables");
    }

    @Test
    void noPacketFilterProgram() throws IOException {
        remove("/usr/sbin/iptables");

        assertThat(finding("packet filter", Grade.WARN).remedy()).contains("iptables");
    }

    @Test
    void noForwarding() throws IOException {
        put("/proc/sys/net/ipv4/ip_forward", "0\n");

        assertThat(finding("ip_forward", Grade.WARN).remedy()).contains("sysctl -w");
    }

    @Test
    void noNetworkConfiguration() throws IOException {
        Files.delete(machine.resolve("etc/cni/net.d/10-test.conflist"));

        assertThat(finding("CNI network", Grade.WARN).detail()).contains("net.d");
    }

    @Test
    void aBrokenNetworkConfigurationIsNamed() throws IOException {
        put("/etc/cni/net.d/00-broken.conf", "{");

        assertThat(finding("CNI network", Grade.WARN).detail()).contains("00-broken.conf");
        assertThat(finding("CNI network", Grade.OK).detail()).contains("testnet");
    }

    @Test
    void aMissingPlugin() throws IOException {
        remove("/opt/cni/bin/host-local");

        Finding finding = finding("CNI plugins", Grade.WARN);
        assertThat(finding.detail()).startsWith("host-local not in");
        assertThat(finding.remedy()).contains("containernetworking-plugins");
    }

    @Test
    void noSeccomp() throws IOException {
        Files.delete(machine.resolve("proc/sys/kernel/seccomp/actions_avail"));

        assertThat(finding("seccomp", Grade.WARN).remedy()).contains("CONFIG_SECCOMP_FILTER");
    }

    private Finding finding(String subject, Grade grade) {
        return finding(check(), subject, grade);
    }

    private static Finding finding(Findings findings, String subject, Grade grade) {
        return findings.all().stream()
                .filter(finding -> finding.subject().equals(subject) && finding.grade() == grade)
                .findFirst()
                .orElseThrow(() ->
                        new AssertionError(
                                "no " + grade + " " + subject + " in\n" + findings.toText()));
    }

    private Findings check() {
        return check("[crio.runtime]\ncgroup_manager = \"cgroupfs\"\n");
    }

    private Findings check(String toml) {
        CremaConfiguration configuration =
                new ConfigurationLoader(new HostFacts(false))
                        .parse(
                                toml
                                        + "[crio]\nroot = \"%1$s/root\"\n".formatted(machine)
                                        + "[crio.network]\nnetwork_dir = \"%1$s/etc/cni/net.d\"\n"
                                                .formatted(machine)
                                        + "plugin_dirs = [\"%1$s/opt/cni/bin\"]\n"
                                                .formatted(machine))
                        .configuration();
        return NodeCheck.of(configuration, new PosedHost());
    }

    private void put(String file, String text) throws IOException {
        Path path = machine.resolve(file.substring(1));
        Files.createDirectories(path.getParent());
        Files.writeString(path, text);
    }

    private void program(String file, String version) throws IOException {
        put(file, "#!/bin/sh\n");
        assertThat(machine.resolve(file.substring(1)).toFile().setExecutable(true)).isTrue();
        versions.put(file, version);
    }

    private void remove(String file) throws IOException {
        Files.delete(machine.resolve(file.substring(1)));
    }

    private final class PosedHost implements Host {
        @Override
        public Path path(String absolute) {
            return machine.resolve(absolute.substring(1));
        }

        @Override
        public boolean isRoot() {
            return false;
        }

        @Override
        public Optional<Path> program(String name) {
            for (String directory : new String[] {"usr/sbin", "usr/bin"}) {
                Path candidate = machine.resolve(directory).resolve(name);
                if (Files.isExecutable(candidate)) {
                    return Optional.of(candidate);
                }
            }
            return Optional.empty();
        }

        @Override
        public Optional<String> version(Path program) {
            return Optional.ofNullable(versions.get("/" + machine.relativize(program)));
        }

        @Override
        public Linux linux() {
            throw new IllegalStateException("only root makes native calls here");
        }
    }
}
