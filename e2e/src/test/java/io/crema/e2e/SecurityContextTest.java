package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.Int64Value;
import io.crema.cri.v1.LinuxContainerSecurityContext;
import io.crema.cri.v1.LinuxContainerUser;
import io.crema.cri.v1.SecurityProfile;
import io.crema.cri.v1.SecurityProfile.ProfileType;
import io.crema.cri.v1.SupplementalGroupsPolicy;
import io.crema.e2e.image.BusyboxArchive;
import io.crema.e2e.image.ImageArchive;
import io.crema.e2e.image.Layer;
import io.crema.e2e.image.OciImage;
import io.crema.e2e.node.NodeSetup;
import io.crema.e2e.node.RuntimeUnderTest;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Who a container's processes are and what keeps them in, as the kernel tells it. */
@Tag("e2e")
class SecurityContextTest {
    private static final String STATUS = "cat /proc/self/status";
    private static final String NET_ADMIN = "NET_ADMIN"; // containerd 1.6 knows no CAP_
    private static final int NET_ADMIN_BIT = 12;
    private static final int CHOWN_BIT = 0;

    /** Allows all but making directories. */
    private static final String NO_DIRECTORIES =
            """
            {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
              {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}
            """;

    @TempDir private static Path directory;

    private static TestNode node;

    @BeforeAll
    static void startNode() throws IOException {
        Path profile = Files.writeString(directory.resolve("handler.json"), NO_DIRECTORIES);
        NodeSetup setup = NodeSetup.standard();
        if (setup.runtime().isOurs()) {
            setup =
                    setup.withConfiguration(
                            """
                            [crio.runtime.runtimes.strict]
                            runtime_path = "/usr/sbin/runc"
                            monitor_path = "/usr/bin/conmon"
                            seccomp_profile = "%s"
                            privileged_without_host_devices = true
                            """
                                    .formatted(profile));
        }
        node = TestNode.start(setup);
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    @AfterEach
    void removePods() {
        node.removeAllPods();
    }

    private static LinuxContainerSecurityContext.Builder security(ContainerConfig.Builder config) {
        return config.getLinuxBuilder().getSecurityContextBuilder();
    }

    /** What a container with the given security context prints. */
    private static String output(
            TestPod pod,
            String name,
            String script,
            Consumer<LinuxContainerSecurityContext.Builder> change) {
        ContainerConfig.Builder config = pod.shell(name, script);
        change.accept(security(config));
        return pod.output(config);
    }

    private static void assertRefused(
            TestPod pod,
            String name,
            String message,
            Consumer<LinuxContainerSecurityContext.Builder> change) {
        ContainerConfig.Builder config = pod.shell(name, "true");
        change.accept(security(config));
        assertThatThrownBy(() -> pod.create(config.build()))
                .as(name)
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        refusal -> {
                            if (node.runtime().isOurs()) {
                                assertThat(refusal).hasMessageContaining(message);
                            }
                        });
    }

    /** A line of /proc/self/status, its words separated by one blank. */
    private static String field(String status, String name) {
        return status.lines()
                .filter(line -> line.startsWith(name + ":"))
                .findFirst()
                .map(line -> line.substring(name.length() + 1).strip().replaceAll("\\s+", " "))
                .orElseThrow(() -> new AssertionError(name + " is not in " + status));
    }

    private static boolean has(String status, String set, int capability) {
        return new BigInteger(field(status, set), 16).testBit(capability);
    }

    private static SecurityProfile profile(ProfileType type, String reference) {
        return SecurityProfile.newBuilder().setProfileType(type).setLocalhostRef(reference).build();
    }

    private static Int64Value id(long value) {
        return Int64Value.newBuilder().setValue(value).build();
    }

    @Test
    void usersAndGroupsAreTheImagesUnlessAskedForOthers() throws IOException {
        OciImage image =
                OciImage.of(List.of("sh"), Layer.of(BusyboxArchive.tar(Path.of("/bin/busybox"))));
        Path archive = directory.resolve("www.tar");
        ImageArchive.writeOci(image.with("User", "www-data"), "localhost/crema/www:1", archive);
        node.load(archive);
        ImageArchive.writeOci(image.with("User", "7:users"), "localhost/crema/seven:1", archive);
        node.load(archive);
        TestPod pod = TestPod.run(node);

        ContainerConfig.Builder www = pod.shell("www", STATUS);
        www.getImageBuilder().setImage("localhost/crema/www:1");
        String status = pod.output(www);
        assertThat(field(status, "Uid")).isEqualTo("33 33 33 33");
        assertThat(field(status, "Gid")).isEqualTo("33 33 33 33");
        if (node.runtime().isOurs()) { // containerd 1.6 merges groups only for users of requests
            assertThat(field(status, "Groups").split(" ")).containsExactlyInAnyOrder("33", "100");
        }

        ContainerConfig.Builder seven = pod.shell("seven", STATUS);
        seven.getImageBuilder().setImage("localhost/crema/seven:1");
        status = pod.output(seven);
        assertThat(field(status, "Uid")).startsWith("7 ");
        assertThat(field(status, "Gid")).startsWith("100 ");

        status =
                output(
                        pod,
                        "named",
                        STATUS,
                        security -> security.setRunAsUsername("nobody").setRunAsGroup(id(5)));
        assertThat(field(status, "Uid")).startsWith("65534 ");
        assertThat(field(status, "Gid")).startsWith("5 ");
        assertThat(output(pod, "home", "echo $HOME", s -> s.setRunAsUsername("nobody")))
                .isEqualTo("/home\n");

        assertRefused(pod, "stranger", "stranger", s -> s.setRunAsUsername("stranger"));
        assertRefused(pod, "group-only", "run_as_group", s -> s.setRunAsGroup(id(5)));
    }

    @Test
    void supplementalGroupsAreMergedOrStrict() {
        Peers.differ(node, "containerd 1.6 does not know the policy");
        TestPod pod = TestPod.run(node);
        ContainerConfig.Builder config = pod.shell("merge", STATUS + "; exec sleep 1000");
        security(config).setRunAsUser(id(33)).addSupplementalGroups(5).addSupplementalGroups(6);
        String merged = pod.launch(config);
        pod.awaitLog("merge.log", "Groups");
        assertThat(field(TestPod.stdout(pod.log("merge.log")), "Groups")).isEqualTo("5 6 33 100");
        LinuxContainerUser user = pod.status(merged).getUser().getLinux();
        assertThat(user.getUid()).isEqualTo(33);
        assertThat(user.getGid()).isEqualTo(33);
        assertThat(user.getSupplementalGroupsList()).contains(5L, 6L, 100L);
        // What comes by exec is the same user.
        assertThat(
                        field(
                                pod.exec(merged, "cat", "/proc/self/status")
                                        .getStdout()
                                        .toStringUtf8(),
                                "Groups"))
                .isEqualTo("5 6 33 100");

        String strict =
                output(
                        pod,
                        "strict",
                        STATUS,
                        security ->
                                security.setRunAsUser(id(33))
                                        .addSupplementalGroups(5)
                                        .setSupplementalGroupsPolicy(
                                                SupplementalGroupsPolicy.Strict));
        assertThat(field(strict, "Groups")).isEqualTo("5 33");
        assertRefused(
                pod,
                "unknown",
                "supplemental_groups_policy",
                security -> security.setSupplementalGroupsPolicyValue(7));
    }

    @Test
    void capabilitiesAreAddedDroppedAndMadeAmbient() {
        TestPod pod = TestPod.run(node);
        String added =
                output(
                        pod,
                        "added",
                        STATUS,
                        security ->
                                security.getCapabilitiesBuilder()
                                        .addAddCapabilities(NET_ADMIN)
                                        .addDropCapabilities("chown"));
        assertThat(has(added, "CapEff", NET_ADMIN_BIT)).isTrue();
        assertThat(has(added, "CapEff", CHOWN_BIT)).isFalse();
        assertThat(has(added, "CapBnd", CHOWN_BIT)).isFalse();

        String none =
                output(
                        pod,
                        "none",
                        STATUS,
                        security -> security.getCapabilitiesBuilder().addDropCapabilities("ALL"));
        assertThat(new BigInteger(field(none, "CapBnd"), 16)).isZero();

        String user =
                output(
                        pod,
                        "user",
                        STATUS,
                        security ->
                                security.setRunAsUser(id(33))
                                        .getCapabilitiesBuilder()
                                        .addAddCapabilities(NET_ADMIN));
        assertThat(new BigInteger(field(user, "CapEff"), 16)).isZero();
        assertThat(has(user, "CapBnd", NET_ADMIN_BIT)).isTrue();

        Peers.differ(node, "containerd drops add_ambient_capabilities and takes unknown names");
        assertRefused(
                pod,
                "unknown",
                "NO_SUCH",
                security -> security.getCapabilitiesBuilder().addAddCapabilities("NO_SUCH"));
        String ambient =
                output(
                        pod,
                        "ambient",
                        STATUS,
                        security ->
                                security.setRunAsUser(id(33))
                                        .getCapabilitiesBuilder()
                                        .addAddAmbientCapabilities(NET_ADMIN));
        assertThat(has(ambient, "CapEff", NET_ADMIN_BIT)).isTrue();
        assertThat(has(ambient, "CapAmb", NET_ADMIN_BIT)).isTrue();
    }

    @Test
    void seccompFiltersAsTheProfileSays() throws IOException {
        Path file = Files.writeString(directory.resolve("local.json"), NO_DIRECTORIES);
        TestPod pod = TestPod.run(node);
        assertThat(field(output(pod, "absent", STATUS, security -> {}), "Seccomp")).isEqualTo("0");
        assertThat(
                        field(
                                output(
                                        pod,
                                        "unconfined",
                                        STATUS,
                                        s -> s.setSeccomp(profile(ProfileType.Unconfined, ""))),
                                "Seccomp"))
                .isEqualTo("0");
        assertThat(
                        field(
                                output(
                                        pod,
                                        "default",
                                        STATUS,
                                        s -> s.setSeccomp(profile(ProfileType.RuntimeDefault, ""))),
                                "Seccomp"))
                .isEqualTo("2");
        String script = "mkdir /tmp/x || echo refused; " + STATUS;
        assertThat(
                        output(
                                pod,
                                "localhost",
                                script,
                                s -> s.setSeccomp(profile(ProfileType.Localhost, file.toString()))))
                .contains("refused\n");
        assertThat(
                        output(
                                pod,
                                "deprecated",
                                script,
                                s -> s.setSeccompProfilePath("localhost/" + file)))
                .contains("refused\n");
        assertRefused(
                pod,
                "missing",
                "/nonexistent",
                s -> s.setSeccomp(profile(ProfileType.Localhost, "/nonexistent")));
    }

    @Test
    void aHandlerHasItsOwnSeccompProfileAndDevices() {
        Peers.differ(node, "seccomp_profile of a handler is CRI-O's and ours");
        TestPod pod =
                TestPod.run(
                        node,
                        "strict",
                        config ->
                                config.getLinuxBuilder()
                                        .getSecurityContextBuilder()
                                        .setPrivileged(true));
        assertThat(
                        output(
                                pod,
                                "default",
                                "mkdir /tmp/x || echo refused",
                                s -> s.setSeccomp(profile(ProfileType.RuntimeDefault, ""))))
                .contains("refused\n");
        assertThat(output(pod, "devices", "ls /dev", security -> security.setPrivileged(true)))
                .contains("null")
                .doesNotContain("kmsg")
                .doesNotContain("mem\n");
    }

    @Test
    void noNewPrivilegesIsAsAskedFor() {
        TestPod pod = TestPod.run(node);
        ContainerConfig.Builder config = pod.shell("set", STATUS + "; exec sleep 1000");
        security(config).setNoNewPrivs(true);
        String set = pod.launch(config);
        pod.awaitLog("set.log", "NoNewPrivs");
        assertThat(field(TestPod.stdout(pod.log("set.log")), "NoNewPrivs")).isEqualTo("1");
        assertThat(
                        field(
                                pod.exec(set, "cat", "/proc/self/status")
                                        .getStdout()
                                        .toStringUtf8(),
                                "NoNewPrivs"))
                .isEqualTo("1");
        assertThat(field(output(pod, "unset", STATUS, security -> {}), "NoNewPrivs"))
                .isEqualTo("0");
    }

    @Test
    void aPrivilegedContainerIsNotConfined() {
        TestPod pod =
                TestPod.run(
                        node,
                        config ->
                                config.getLinuxBuilder()
                                        .getSecurityContextBuilder()
                                        .setPrivileged(true));
        String output =
                output(
                        pod,
                        "privileged",
                        STATUS
                                + "; ls /dev; cat /proc/self/mounts;"
                                + " cat /proc/sys/vm/overcommit_memory >/tmp/x;"
                                + " cat /tmp/x >/proc/sys/vm/overcommit_memory && echo writable",
                        security ->
                                security.setPrivileged(true)
                                        .setSeccomp(profile(ProfileType.RuntimeDefault, ""))
                                        .addMaskedPaths("/proc/kcore")
                                        .addReadonlyPaths("/proc/sys"));
        assertThat(field(output, "CapEff")).isEqualTo(field(output, "CapBnd"));
        assertThat(has(output, "CapEff", NET_ADMIN_BIT)).isTrue();
        assertThat(field(output, "Seccomp")).isEqualTo("0");
        assertThat(output).contains("\nkmsg\n");
        Peers.differ(node, "containerd masks and protects as told, also when privileged");
        assertThat(output).contains("\nwritable\n").containsPattern("sysfs /sys sysfs rw");
        assertThat(output).doesNotContain("/proc/kcore");
    }

    @Test
    void aPrivilegedContainerNeedsAPrivilegedPod() {
        assertRefused(TestPod.run(node), "privileged", "privileged", s -> s.setPrivileged(true));
    }

    @Test
    void appArmorConfinesWhereTheNodeHasIt() throws IOException {
        boolean isEnabled = AppArmor.isEnabled();
        if (!isEnabled) {
            Peers.differ(
                    node, "containerd refuses RuntimeDefault, too, on a node without AppArmor");
        }
        TestPod pod = TestPod.run(node);
        Consumer<LinuxContainerSecurityContext.Builder> runtimeDefault =
                security -> security.setApparmor(profile(ProfileType.RuntimeDefault, ""));
        String script = "cat /proc/self/attr/current 2>/dev/null; " + STATUS;
        String output = output(pod, "default", script, runtimeDefault);
        if (isEnabled && node.runtime() == RuntimeUnderTest.CREMA) {
            assertThat(output).startsWith("crema-default (enforce)");
        } else if (!isEnabled) {
            assertThat(output).doesNotContain("(enforce)");
        }
        assertRefused(
                pod,
                "missing",
                "no-such-profile",
                s -> s.setApparmor(profile(ProfileType.Localhost, "no-such-profile")));
    }

    @Test
    void aReadOnlyRootLeavesVolumesAndDevicesWritable() throws IOException {
        Path volume = Files.createDirectories(directory.resolve("volume"));
        TestPod pod = TestPod.run(node);
        ContainerConfig.Builder config =
                pod.shell(
                        "readonly",
                        "touch /x || echo root; touch /etc/hostname || echo hostname;"
                                + " touch /volume/x && echo volume; echo >/dev/null && echo null;"
                                + " touch /dev/shm/x && echo shm");
        config.addMountsBuilder().setContainerPath("/volume").setHostPath(volume.toString());
        security(config).setReadonlyRootfs(true);
        assertThat(pod.output(config)).contains("root\n", "volume\n", "null\n", "shm\n");
        assertThat(volume.resolve("x")).exists();
    }
}
