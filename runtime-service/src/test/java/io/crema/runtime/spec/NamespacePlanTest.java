package io.crema.runtime.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.IDMapping;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.NamespaceOption;
import io.crema.cri.v1.UserNamespace;
import io.crema.oci.spec.LinuxSpec.Namespace;
import io.crema.oci.spec.RuntimeSpec.IdMapping;
import io.crema.runtime.state.PodException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class NamespacePlanTest {
    private static final Namespace MOUNT = new Namespace("mount", null);
    private static final Namespace PID = new Namespace("pid", null);
    private static final Namespace NETWORK = new Namespace("network", "/run/ns/net");
    private static final Namespace IPC = new Namespace("ipc", "/run/ns/ipc");
    private static final Namespace UTS = new Namespace("uts", "/run/ns/uts");
    private static final Namespace CGROUP = new Namespace("cgroup", null);

    @TempDir Path directory;
    private SpecFixture fixture;

    @BeforeEach
    void makeFixture() {
        fixture = new SpecFixture(directory);
    }

    private NamespaceOption.Builder ofPod() {
        return fixture.sandbox
                .getLinuxBuilder()
                .getSecurityContextBuilder()
                .getNamespaceOptionsBuilder();
    }

    private NamespaceOption.Builder ofContainer() {
        return fixture.config
                .getLinuxBuilder()
                .getSecurityContextBuilder()
                .getNamespaceOptionsBuilder();
    }

    private List<Namespace> list() {
        return new NamespacePlan(fixture.request(), fixture.node).list();
    }

    private void refused(ErrorKind kind, String message) {
        assertThatThrownBy(this::list)
                .isInstanceOf(PodException.class)
                .hasMessageContaining("namespace_options." + message)
                .extracting(error -> ((PodException) error).kind())
                .isEqualTo(kind);
    }

    @Test
    void joinsThePodAndHasItsOwnProcesses() {
        assertThat(list()).containsExactly(MOUNT, PID, NETWORK, IPC, UTS, CGROUP);
    }

    @Test
    void hasNoCgroupNamespaceOnVersion1NorWhenPrivileged() {
        fixture.node = Node.small();
        assertThat(list()).doesNotContain(CGROUP);

        fixture.node = Node.usual();
        fixture.config.getLinuxBuilder().getSecurityContextBuilder().setPrivileged(true);
        assertThat(list()).doesNotContain(CGROUP);
    }

    @Test
    void followsThePodWhenItSaysNothing() {
        fixture.config.getLinuxBuilder().getSecurityContextBuilder().clearNamespaceOptions();
        ofPod().setPid(NamespaceMode.NODE)
                .setIpc(NamespaceMode.NODE)
                .setNetwork(NamespaceMode.NODE);

        assertThat(list()).containsExactly(MOUNT, CGROUP);
    }

    @Test
    void sharesTheNodesNamespaces() {
        for (NamespaceOption.Builder options : List.of(ofPod(), ofContainer())) {
            options.setPid(NamespaceMode.NODE)
                    .setIpc(NamespaceMode.NODE)
                    .setNetwork(NamespaceMode.NODE);
        }

        assertThat(list()).containsExactly(MOUNT, CGROUP);
        assertThat(fixture.build().spec().hostname()).isNull();
    }

    @Test
    void joinsTheProcessesOfThePod() {
        ofContainer().setPid(NamespaceMode.POD);
        refused(ErrorKind.FAILED_PRECONDITION, "pid: the pod has no PID namespace to share");

        fixture.initPid = OptionalInt.of(77);
        assertThat(list()).contains(new Namespace("pid", "/proc/77/ns/pid"));
    }

    @Test
    void joinsTheProcessesOfAnotherContainer() {
        ofContainer().setPid(NamespaceMode.TARGET);
        refused(ErrorKind.INVALID_ARGUMENT, "target_id is needed");

        ofContainer().setTargetId("abc");
        refused(ErrorKind.FAILED_PRECONDITION, "target_id: the container abc does not run");

        fixture.targetPid = OptionalInt.of(99);
        assertThat(list()).contains(new Namespace("pid", "/proc/99/ns/pid"));
    }

    @Test
    void hasItsOwnIpcIfAsked() {
        ofContainer().setIpc(NamespaceMode.CONTAINER);

        assertThat(list()).contains(new Namespace("ipc", null)).doesNotContain(IPC);
        assertThat(fixture.build().spec().mounts())
                .filteredOn(mount -> mount.destination().equals("/dev/shm"))
                .singleElement()
                .satisfies(mount -> assertThat(mount.type()).isEqualTo("tmpfs"));
    }

    @Test
    void putsSysctlsIntoItsOwnIpc() {
        fixture.sandbox
                .getLinuxBuilder()
                .putSysctls("kernel.shmmax", "5")
                .putSysctls("net.ipv4.ip_forward", "1");
        assertThat(fixture.build().spec().linux().sysctl()).isEmpty();

        ofContainer().setIpc(NamespaceMode.CONTAINER);
        fixture.sandbox.getLinuxBuilder().putSysctls("fs/mqueue/queues_max", "7");
        fixture.toml =
                "[crio.runtime]\ndefault_sysctls = [\"kernel.shmmax=1\", \"kernel.sem=1 2 3 4\"]\n";
        assertThat(fixture.build().spec().linux().sysctl())
                .containsOnly(
                        Map.entry("kernel.shmmax", "5"),
                        Map.entry("kernel.sem", "1 2 3 4"),
                        Map.entry("fs.mqueue.queues_max", "7"));
    }

    @Test
    void refusesTheNodesNamespacesInAPodThatHasItsOwn() {
        ofContainer().setNetwork(NamespaceMode.NODE);
        refused(ErrorKind.INVALID_ARGUMENT, "network: NODE");

        ofContainer().setNetwork(NamespaceMode.POD).setIpc(NamespaceMode.NODE);
        refused(ErrorKind.INVALID_ARGUMENT, "ipc: NODE");
    }

    @ParameterizedTest
    @EnumSource(
            value = NamespaceMode.class,
            names = {"CONTAINER", "TARGET"})
    void refusesOtherNetworks(NamespaceMode mode) {
        ofContainer().setNetwork(mode);
        refused(ErrorKind.INVALID_ARGUMENT, "network must be POD or NODE");
    }

    @Test
    void refusesModesThatTheProtocolDoesNotKnow() {
        ofContainer().setNetworkValue(9);
        refused(ErrorKind.INVALID_ARGUMENT, "network: this value is unknown");
        ofContainer().setNetwork(NamespaceMode.POD).setPidValue(9);
        refused(ErrorKind.INVALID_ARGUMENT, "pid: this value is unknown");
        ofContainer().setPid(NamespaceMode.CONTAINER).setIpcValue(9);
        refused(ErrorKind.INVALID_ARGUMENT, "ipc: this value is unknown");
        ofContainer().setIpc(NamespaceMode.TARGET);
        refused(ErrorKind.INVALID_ARGUMENT, "ipc must not be TARGET");
    }

    @Test
    void joinsThePodsUserNamespace() {
        fixture.mapUsers(100000, 65536);

        var linux = fixture.build().spec().linux();
        assertThat(linux.namespaces()).contains(new Namespace("user", "/run/ns/user"));
        assertThat(linux.uidMappings()).containsExactly(new IdMapping(0, 100000, 65536));
        assertThat(linux.gidMappings()).containsExactly(new IdMapping(0, 100000, 65536));
    }

    @Test
    void refusesUsersThatAreNotThePods() {
        fixture.mapUsers(100000, 65536);
        ofContainer().clearUsernsOptions();
        refused(ErrorKind.INVALID_ARGUMENT, "userns_options: they must be those of the pod");

        fixture.mapUsers(100000, 65536);
        ofContainer().getUsernsOptionsBuilder().getUidsBuilder(0).setLength(10);
        refused(ErrorKind.INVALID_ARGUMENT, "userns_options: they must be those of the pod");
    }

    @Test
    void refusesUserNamespacesThatCannotBe() {
        UserNamespace.Builder user = ofContainer().getUsernsOptionsBuilder();
        user.setMode(NamespaceMode.POD);
        refused(
                ErrorKind.INVALID_ARGUMENT,
                "userns_options.uids: mode POD needs exactly one range, not 0");
        IDMapping mapping = IDMapping.newBuilder().setHostId(5).setLength(10).build();
        user.addUids(mapping).addGids(mapping.toBuilder().setContainerId(1));
        refused(ErrorKind.INVALID_ARGUMENT, "userns_options.gids: the range begins with id 1");
        user.setGids(0, mapping.toBuilder().setLength(0));
        refused(ErrorKind.INVALID_ARGUMENT, "userns_options.gids: a range of 0 ids");
        user.setGids(0, mapping.toBuilder().setHostId(-1));
        refused(
                ErrorKind.INVALID_ARGUMENT,
                "userns_options.gids: a range of 10 ids from there does not exist");
        user.setGids(0, mapping);
        ofContainer().setPid(NamespaceMode.NODE);
        refused(
                ErrorKind.INVALID_ARGUMENT,
                "userns_options: a pod with users of its own cannot have pid");
        ofContainer().setPid(NamespaceMode.CONTAINER).setIpc(NamespaceMode.NODE);
        refused(
                ErrorKind.INVALID_ARGUMENT,
                "userns_options: a pod with users of its own cannot have ipc");
        ofContainer().setIpc(NamespaceMode.POD);
        user.setMode(NamespaceMode.NODE);
        refused(ErrorKind.INVALID_ARGUMENT, "userns_options: mode NODE must not have uids");
        user.clearUids().clearGids().setMode(NamespaceMode.CONTAINER);
        refused(ErrorKind.INVALID_ARGUMENT, "userns_options.mode must be POD or NODE");
    }
}
