package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.crema.cri.v1.Int64Value;
import io.crema.cri.v1.LinuxSandboxSecurityContext;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.PodSandboxStatusRequest;
import io.crema.cri.v1.SecurityProfile;
import io.crema.cri.v1.SecurityProfile.ProfileType;
import io.crema.cri.v1.SupplementalGroupsPolicy;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The process that a pod itself has, PID 1 of a shared namespace, as the pod's security says. */
@Tag("e2e")
class PodInitTest {
    private static final int UNKNOWN = 99;
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir private static Path directory;

    private static TestNode node;

    @BeforeAll
    static void startNode() {
        node = TestNode.start();
    }

    @AfterAll
    static void stopNode() {
        node.close();
    }

    @AfterEach
    void removePods() {
        node.removeAllPods();
    }

    private static TestPod run(
            NamespaceMode pid, Consumer<LinuxSandboxSecurityContext.Builder> change) {
        return TestPod.run(
                node,
                config -> {
                    LinuxSandboxSecurityContext.Builder security =
                            config.getLinuxBuilder().getSecurityContextBuilder();
                    security.getNamespaceOptionsBuilder().setPid(pid);
                    change.accept(security);
                });
    }

    /** The pod's process as the node sees it. */
    private static Path init(Consumer<LinuxSandboxSecurityContext.Builder> change)
            throws IOException {
        String info =
                node.client()
                        .runtime()
                        .podSandboxStatus(
                                PodSandboxStatusRequest.newBuilder()
                                        .setPodSandboxId(run(NamespaceMode.POD, change).id())
                                        .setVerbose(true)
                                        .build())
                        .getInfoOrThrow("info");
        int pid = JSON.readTree(info).path("pid").asInt();
        assertThat(pid).isPositive();
        return Path.of("/proc", Integer.toString(pid));
    }

    /** A line of the process's status, its words separated by one blank. */
    private static String field(Path process, String name) throws IOException {
        return Files.readString(process.resolve("status"))
                .lines()
                .filter(line -> line.startsWith(name + ":"))
                .findFirst()
                .map(line -> line.substring(name.length() + 1).strip().replaceAll("\\s+", " "))
                .orElseThrow();
    }

    private static SecurityProfile profile(ProfileType type, String reference) {
        return SecurityProfile.newBuilder().setProfileType(type).setLocalhostRef(reference).build();
    }

    /** Also of a pod that has no process of its own. */
    private static void assertRefused(
            String field, Consumer<LinuxSandboxSecurityContext.Builder> change) {
        for (NamespaceMode pid : new NamespaceMode[] {NamespaceMode.POD, NamespaceMode.CONTAINER}) {
            assertThatThrownBy(() -> run(pid, change))
                    .hasMessageMatching("(INVALID_ARGUMENT|FAILED_PRECONDITION): .*")
                    .hasMessageContaining("linux.security_context." + field);
        }
    }

    @Test
    void itsRootIsReadOnlyWhateverIsAskedFor() throws IOException {
        for (boolean isReadOnly : new boolean[] {true, false}) {
            Path init = init(security -> security.setReadonlyRootfs(isReadOnly));
            assertThat(Files.readString(init.resolve("mountinfo")))
                    .containsPattern("(?m)^\\S+ \\S+ \\S+ \\S+ / ro[, ]");
        }
    }

    @Test
    void itHasTheGroupsThatThePodListsAndNoOthers() throws IOException {
        for (SupplementalGroupsPolicy policy :
                new SupplementalGroupsPolicy[] {
                    SupplementalGroupsPolicy.Merge, SupplementalGroupsPolicy.Strict
                }) {
            Path init =
                    init(security ->
                            security.setRunAsUser(Int64Value.newBuilder().setValue(33))
                                    .setRunAsGroup(Int64Value.newBuilder().setValue(34))
                                    .addSupplementalGroups(9)
                                    .setSupplementalGroupsPolicy(policy));
            assertThat(field(init, "Uid")).isEqualTo("33 33 33 33");
            assertThat(field(init, "Gid")).isEqualTo("34 34 34 34");
            Peers.differ(node, "containerd 1.6 gives its pause container no more groups");
            assertThat(field(init, "Groups")).isEqualTo("9 34");
        }
        assertRefused(
                "supplemental_groups_policy",
                security -> security.setSupplementalGroupsPolicyValue(UNKNOWN));
    }

    @Test
    void itIsFilteredAsThePodsProfileSays() throws IOException {
        assertThat(
                        field(
                                init(s -> s.setSeccomp(profile(ProfileType.RuntimeDefault, ""))),
                                "Seccomp"))
                .isEqualTo("2");
        assertThat(field(init(s -> s.setSeccomp(profile(ProfileType.Unconfined, ""))), "Seccomp"))
                .isEqualTo("0");
        assertThat(field(init(s -> s.setSeccompProfilePath("unconfined")), "Seccomp"))
                .isEqualTo("0");
        Path file =
                Files.writeString(
                        directory.resolve("local.json"), "{\"defaultAction\": \"SCMP_ACT_ALLOW\"}");
        assertThat(
                        field(
                                init(s ->
                                        s.setSeccomp(
                                                profile(ProfileType.Localhost, file.toString()))),
                                "Seccomp"))
                .isEqualTo("2");
        assertThat(field(init(s -> s.setSeccompProfilePath("localhost/" + file)), "Seccomp"))
                .isEqualTo("2");
        Peers.differ(node, "containerd 1.6 has no filter unless told, and no checks without need");
        assertThat(field(init(security -> {}), "Seccomp")).isEqualTo("2");
        assertRefused("seccomp", s -> s.setSeccomp(profile(ProfileType.Localhost, "/nonexistent")));
        assertRefused("seccomp", s -> s.setSeccompProfilePath("localhost//nonexistent"));
        assertRefused("seccomp", s -> s.setSeccomp(profile(ProfileType.RuntimeDefault, "/a/file")));
        assertRefused(
                "seccomp",
                s -> s.setSeccomp(SecurityProfile.newBuilder().setProfileTypeValue(UNKNOWN)));
    }

    @Test
    void itIsConfinedWhereTheNodeHasAppArmor() throws IOException {
        Path init = init(s -> s.setApparmor(profile(ProfileType.Unconfined, "")));
        assertThat(AppArmor.confinementOf(init)).doesNotContain("enforce");
        Path confined = init(s -> s.setApparmor(profile(ProfileType.RuntimeDefault, "")));
        if (AppArmor.isEnabled()) {
            assertThat(AppArmor.confinementOf(confined)).contains("(enforce)");
        }
        Peers.differ(node, "containerd 1.6 does not confine its pause container");
        assertRefused(
                "apparmor", s -> s.setApparmor(profile(ProfileType.Localhost, "no-such-profile")));
        assertRefused(
                "apparmor",
                s -> s.setApparmor(SecurityProfile.newBuilder().setProfileTypeValue(UNKNOWN)));
    }
}
