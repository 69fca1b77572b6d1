package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.ContainerState;
import io.crema.cri.v1.DNSConfig;
import io.crema.cri.v1.ListPodSandboxRequest;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.NamespaceOption;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.PodSandboxFilter;
import io.crema.cri.v1.PodSandboxState;
import io.crema.cri.v1.PodSandboxStatusRequest;
import io.crema.cri.v1.PortMapping;
import io.crema.cri.v1.RemovePodSandboxRequest;
import io.crema.cri.v1.RunPodSandboxRequest;
import io.crema.cri.v1.StatusRequest;
import io.crema.cri.v1.StopPodSandboxRequest;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Pod sandboxes: run, list, status, stop, remove; network, names, files. */
@Tag("e2e")
class PodLifecycleTest {
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

    @Test
    void aPodIsReadyWithAnAddressUntilItIsStopped() {
        TestPod pod =
                TestPod.run(node, config -> config.putLabels("app", "x").putAnnotations("a", "b"));
        var status = pod.status();
        assertThat(status.getState()).isEqualTo(PodSandboxState.SANDBOX_READY);
        assertThat(status.getNetwork().getIp()).startsWith("10.87.");
        assertThat(status.getMetadata()).isEqualTo(pod.config().getMetadata());
        assertThat(status.getLabelsMap()).containsEntry("app", "x");
        assertThat(status.getAnnotationsMap()).containsEntry("a", "b");
        assertThat(status.getCreatedAt()).isPositive();
        assertThat(status.getLinux().getNamespaces().getOptions().getPid())
                .isEqualTo(NamespaceMode.CONTAINER);
        pod.stop();
        assertThat(pod.status().getState()).isEqualTo(PodSandboxState.SANDBOX_NOTREADY);
        pod.stop();
        pod.remove();
        assertThatThrownBy(pod::status)
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.NOT_FOUND));
        pod.remove();
    }

    @Test
    void listsFilterByIdStateAndLabels() {
        TestPod one = TestPod.run(node, config -> config.putLabels("app", "one"));
        TestPod two = TestPod.run(node, config -> config.putLabels("app", "two"));
        two.stop();
        assertThat(ids(PodSandboxFilter.getDefaultInstance()))
                .containsExactlyInAnyOrder(one.id(), two.id());
        assertThat(ids(PodSandboxFilter.newBuilder().setId(one.id().substring(0, 12)).build()))
                .containsExactly(one.id());
        assertThat(ids(PodSandboxFilter.newBuilder().putLabelSelector("app", "two").build()))
                .containsExactly(two.id());
        assertThat(
                        ids(
                                PodSandboxFilter.newBuilder()
                                        .setState(
                                                io.crema.cri.v1.PodSandboxStateValue.newBuilder()
                                                        .setState(PodSandboxState.SANDBOX_NOTREADY))
                                        .build()))
                .containsExactly(two.id());
        assertThat(ids(PodSandboxFilter.newBuilder().setId("f".repeat(64)).build())).isEmpty();
    }

    @Test
    void theNameIsFreeAgainAfterRemoval() {
        TestPod first = TestPod.run(node);
        first.stop();
        first.remove();
        String second = run(first.config());
        assertThat(second).isNotEqualTo(first.id());
    }

    @Test
    void stopAndRemoveOfAnUnknownPodSucceed() {
        Peers.differ(node, "containerd 1.6 answers NotFound where kubelet may also get success");
        String unknown = "0123456789abcdef".repeat(4);
        node.client()
                .runtime()
                .stopPodSandbox(
                        StopPodSandboxRequest.newBuilder().setPodSandboxId(unknown).build());
        node.client()
                .runtime()
                .removePodSandbox(
                        RemovePodSandboxRequest.newBuilder().setPodSandboxId(unknown).build());
        assertThatThrownBy(() ->
                        node.client()
                                .runtime()
                                .podSandboxStatus(
                                        PodSandboxStatusRequest.newBuilder()
                                                .setPodSandboxId(unknown)
                                                .build()))
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e -> assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.NOT_FOUND));
    }

    @Test
    void wrongRequestsAreRefused() {
        assertThatThrownBy(() -> run(PodSandboxConfig.getDefaultInstance()))
                .isInstanceOf(StatusRuntimeException.class);
        assertThatThrownBy(() ->
                        node.client()
                                .runtime()
                                .runPodSandbox(
                                        RunPodSandboxRequest.newBuilder()
                                                .setConfig(TestPod.config(node, config -> {}))
                                                .setRuntimeHandler("no-such-handler")
                                                .build()))
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageContaining("no-such-handler");
    }

    @Test
    void hostnameDnsAndLoopbackAreSetUp() {
        TestPod pod =
                TestPod.run(
                        node,
                        config ->
                                config.setDnsConfig(
                                        DNSConfig.newBuilder()
                                                .addServers("10.9.8.7")
                                                .addSearches("svc.example")
                                                .addOptions("ndots:5")));
        String output =
                pod.output(pod.shell("files", "hostname; cat /etc/resolv.conf; ip addr show lo"));
        assertThat(output)
                .contains(pod.config().getHostname())
                .contains("nameserver 10.9.8.7")
                .contains("search svc.example")
                .contains("options ndots:5")
                .contains("LOOPBACK,UP");
    }

    @Test
    void containersOfAPodShareNetworkAndIpc() {
        TestPod pod = TestPod.run(node);
        pod.launch(
                pod.shell(
                        "server",
                        "echo shared >/dev/shm/x; mkdir /www; echo page >/www/index.html; exec httpd -f -p 8080 -h /www"));
        assertThat(
                        pod.output(
                                pod.shell(
                                        "client",
                                        "for i in $(seq 50); do wget -q -O - http://127.0.0.1:8080/ && break; sleep 0.1; done; cat /dev/shm/x")))
                .isEqualTo("page\nshared\n");
    }

    @Test
    void aHostPortLeadsToThePod() {
        TestPod pod =
                TestPod.run(
                        node,
                        config ->
                                config.addPortMappings(
                                        PortMapping.newBuilder()
                                                .setHostPort(18080)
                                                .setContainerPort(8080)));
        pod.launch(
                pod.shell(
                        "server",
                        "mkdir /www; echo page >/www/index.html; echo up; exec httpd -f -p 8080 -h /www"));
        pod.awaitLog("server.log", "up");
        String script =
                "for i in $(seq 50); do busybox wget -q -O - http://127.0.0.1:18080/ && exit 0; sleep 0.1; done; exit 1";
        assertThat(node.inNamespace("sh", "-c", script)).isEqualTo("page\n");
    }

    @Test
    void aHostPortOfOneAddressIsOnThatAddressOnly() {
        node.inNamespace("ip", "address", "add", "192.0.2.1/32", "dev", "lo");
        node.inNamespace("ip", "address", "add", "192.0.2.2/32", "dev", "lo");
        TestPod pod =
                TestPod.run(
                        node,
                        config ->
                                config.addPortMappings(
                                        PortMapping.newBuilder()
                                                .setHostIp("192.0.2.1")
                                                .setHostPort(18081)
                                                .setContainerPort(8080)));
        String server = pod.launch(pod.shell("server", "exec nc -ll -p 8080 -e echo here"));
        while (!pod.exec(server, "cat", "/proc/net/tcp", "/proc/net/tcp6")
                .getStdout()
                .toStringUtf8()
                .contains("0000:1F90 ")) {
            assertThat(pod.status(server).getState()).isEqualTo(ContainerState.CONTAINER_RUNNING);
        }
        String ask = "busybox nc 192.0.2.%d 18081 </dev/null";
        assertThat(node.inNamespace("sh", "-c", ask.formatted(1))).isEqualTo("here\n");
        assertThatThrownBy(() -> node.inNamespace("sh", "-c", ask.formatted(2)))
                .hasMessageContaining("refused");
        Peers.differ(node, "containerd leaves out a mapping with an address that is none");
        assertThatThrownBy(() ->
                        TestPod.run(
                                node,
                                config ->
                                        config.addPortMappings(
                                                PortMapping.newBuilder()
                                                        .setHostIp("192.0.2")
                                                        .setHostPort(18082)
                                                        .setContainerPort(8080))))
                .hasMessageContaining("INVALID_ARGUMENT")
                .hasMessageContaining("host_ip");
    }

    @Test
    void aHostNetworkPodHasTheNodesNetwork() {
        TestPod pod =
                TestPod.run(
                        node,
                        config ->
                                config.clearHostname()
                                        .getLinuxBuilder()
                                        .getSecurityContextBuilder()
                                        .setNamespaceOptions(
                                                NamespaceOption.newBuilder()
                                                        .setNetwork(NamespaceMode.NODE)
                                                        .setPid(NamespaceMode.CONTAINER)));
        assertThat(pod.status().getNetwork().getIp()).isEmpty();
        String inside = pod.output(pod.shell("links", "readlink /proc/self/ns/net"));
        assertThat(inside).isEqualTo(node.inNamespace("readlink", "/proc/self/ns/net"));
    }

    @Test
    void containersOfAPodCanShareOnePidNamespace() {
        TestPod pod =
                TestPod.run(
                        node,
                        config ->
                                config.getLinuxBuilder()
                                        .getSecurityContextBuilder()
                                        .setNamespaceOptions(
                                                NamespaceOption.newBuilder()
                                                        .setPid(NamespaceMode.POD)));
        pod.launch(pod.shell("sleeper", "exec sleep 4321"));
        assertThat(pod.output(pod.shell("looker", "ps"))).contains("sleep 4321");
    }

    @Test
    void sysctlsAreSetInThePodOnly() {
        TestPod pod =
                TestPod.run(
                        node,
                        config ->
                                config.getLinuxBuilder()
                                        .putSysctls("net.ipv4.ip_local_port_range", "40000 40100")
                                        .putSysctls("kernel.shmmni", "1234"));
        assertThat(
                        pod.output(
                                pod.shell(
                                        "sysctls",
                                        "cat /proc/sys/net/ipv4/ip_local_port_range /proc/sys/kernel/shmmni")))
                .isEqualTo("40000\t40100\n1234\n");
        assertThat(node.inNamespace("cat", "/proc/sys/kernel/shmmni")).isNotEqualTo("1234\n");
    }

    /** kubeadm reads sandboxImage there. */
    @Test
    void theNodesStatusHasItsConfigurationWhenAskedForAll() {
        var client = node.client().runtime();
        assertThat(client.status(StatusRequest.getDefaultInstance()).getInfoMap()).isEmpty();
        assertThat(
                        client.status(StatusRequest.newBuilder().setVerbose(true).build())
                                .getInfoOrThrow("config"))
                .contains("\"sandboxImage\":");
    }

    private static String run(PodSandboxConfig config) {
        return node.client()
                .runtime()
                .runPodSandbox(RunPodSandboxRequest.newBuilder().setConfig(config).build())
                .getPodSandboxId();
    }

    private static List<String> ids(PodSandboxFilter filter) {
        return node
                .client()
                .runtime()
                .listPodSandbox(ListPodSandboxRequest.newBuilder().setFilter(filter).build())
                .getItemsList()
                .stream()
                .map(io.crema.cri.v1.PodSandbox::getId)
                .toList();
    }
}
