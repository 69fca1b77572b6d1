package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerFilter;
import io.crema.cri.v1.ContainerStateValue;
import io.crema.cri.v1.CreateContainerRequest;
import io.crema.cri.v1.LinuxContainerSecurityContext;
import io.crema.cri.v1.LinuxSandboxSecurityContext;
import io.crema.cri.v1.ListContainersRequest;
import io.crema.cri.v1.ListPodSandboxRequest;
import io.crema.cri.v1.Mount;
import io.crema.cri.v1.NetworkConfig;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.PodSandboxFilter;
import io.crema.cri.v1.PodSandboxStateValue;
import io.crema.cri.v1.PortMapping;
import io.crema.cri.v1.RuntimeConfig;
import io.crema.cri.v1.RuntimeConfigRequest;
import io.crema.cri.v1.SecurityProfile;
import io.crema.cri.v1.StreamContainersRequest;
import io.crema.cri.v1.StreamPodSandboxesRequest;
import io.crema.cri.v1.UpdateRuntimeConfigRequest;
import io.crema.cri.v1.UserNamespace;
import io.crema.cri.v1.WindowsContainerConfig;
import io.crema.cri.v1.WindowsPodSandboxConfig;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.function.Consumer;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a request cannot mean is refused with InvalidArgument that names its field. */
@Tag("e2e")
@Timeout(120)
class RefusalTest {
    private static final int UNKNOWN = 99;

    private static TestNode node;
    private static TestPod pod;

    @BeforeAll
    static void startNode() {
        node = TestNode.start();
        pod = TestPod.run(node);
    }

    @AfterAll
    static void stopNode() {
        node.removeAllPods();
        node.close();
    }

    private static void assertInvalid(ThrowingCallable call, String field) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e ->
                                assertThat(e.getStatus().getCode())
                                        .as(e.getMessage())
                                        .isEqualTo(Status.Code.INVALID_ARGUMENT))
                .hasMessageContaining(field);
    }

    private static void assertPod(String field, Consumer<PodSandboxConfig.Builder> change) {
        assertInvalid(() -> TestPod.run(node, change), field);
    }

    private static void assertContainer(String field, Consumer<ContainerConfig.Builder> change) {
        ContainerConfig.Builder config = pod.shell("refused", "true");
        change.accept(config);
        assertInvalid(() -> pod.create(config.build()), field);
    }

    private static LinuxSandboxSecurityContext.Builder security(PodSandboxConfig.Builder config) {
        return config.getLinuxBuilder().getSecurityContextBuilder();
    }

    private static LinuxContainerSecurityContext.Builder security(ContainerConfig.Builder config) {
        return config.getLinuxBuilder().getSecurityContextBuilder();
    }

    @Test
    void unknownValuesInPodsAreRefusedByTheirField() {
        Peers.differ(node, "containerd takes unknown values for defaults");
        assertPod(
                "namespace_options.network",
                config -> security(config).getNamespaceOptionsBuilder().setNetworkValue(UNKNOWN));
        assertPod(
                "namespace_options.pid",
                config -> security(config).getNamespaceOptionsBuilder().setPidValue(UNKNOWN));
        assertPod(
                "namespace_options.ipc",
                config -> security(config).getNamespaceOptionsBuilder().setIpcValue(UNKNOWN));
        assertPod(
                "userns_options.mode",
                config ->
                        security(config)
                                .getNamespaceOptionsBuilder()
                                .setUsernsOptions(
                                        UserNamespace.newBuilder().setModeValue(UNKNOWN)));
        assertPod(
                "port_mappings",
                config ->
                        config.addPortMappings(PortMapping.newBuilder().setProtocolValue(UNKNOWN)));
    }

    @Test
    void unknownValuesInContainersAreRefusedByTheirField() {
        Peers.differ(node, "containerd takes unknown values for defaults");
        assertContainer(
                "namespace_options.network",
                config -> security(config).getNamespaceOptionsBuilder().setNetworkValue(UNKNOWN));
        assertContainer(
                "namespace_options.pid",
                config -> security(config).getNamespaceOptionsBuilder().setPidValue(UNKNOWN));
        assertContainer(
                "namespace_options.ipc",
                config -> security(config).getNamespaceOptionsBuilder().setIpcValue(UNKNOWN));
        assertContainer(
                "seccomp",
                config ->
                        security(config)
                                .setSeccomp(
                                        SecurityProfile.newBuilder().setProfileTypeValue(UNKNOWN)));
        assertContainer(
                "apparmor",
                config ->
                        security(config)
                                .setApparmor(
                                        SecurityProfile.newBuilder().setProfileTypeValue(UNKNOWN)));
        assertContainer(
                "supplemental_groups_policy",
                config -> security(config).setSupplementalGroupsPolicyValue(UNKNOWN));
        assertContainer(
                "propagation",
                config ->
                        config.addMounts(
                                Mount.newBuilder()
                                        .setContainerPath("/data")
                                        .setHostPath("/tmp")
                                        .setPropagationValue(UNKNOWN)));
        assertContainer("stop_signal", config -> config.setStopSignalValue(UNKNOWN));
    }

    @Test
    void unknownStatesInFiltersAreRefused() {
        Peers.differ(node, "containerd's lists are empty then");
        PodSandboxFilter pods =
                PodSandboxFilter.newBuilder()
                        .setState(PodSandboxStateValue.newBuilder().setStateValue(UNKNOWN))
                        .build();
        ContainerFilter containers =
                ContainerFilter.newBuilder()
                        .setState(ContainerStateValue.newBuilder().setStateValue(UNKNOWN))
                        .build();
        var client = node.client().runtime();
        assertInvalid(
                () ->
                        client.listPodSandbox(
                                ListPodSandboxRequest.newBuilder().setFilter(pods).build()),
                "filter.state");
        assertInvalid(
                () ->
                        client.streamPodSandboxes(
                                        StreamPodSandboxesRequest.newBuilder()
                                                .setFilter(pods)
                                                .build())
                                .hasNext(),
                "filter.state");
        assertInvalid(
                () ->
                        client.listContainers(
                                ListContainersRequest.newBuilder().setFilter(containers).build()),
                "filter.state");
        assertInvalid(
                () ->
                        client.streamContainers(
                                        StreamContainersRequest.newBuilder()
                                                .setFilter(containers)
                                                .build())
                                .hasNext(),
                "filter.state");
    }

    @Test
    void windowsIsRefused() {
        Peers.differ(node, "containerd passes over it");
        assertPod(
                "windows",
                config -> config.setWindows(WindowsPodSandboxConfig.getDefaultInstance()));
        assertContainer(
                "windows",
                config -> config.setWindows(WindowsContainerConfig.getDefaultInstance()));
    }

    @Test
    void aContainerWithoutThePodsConfigurationIsRefused() {
        Peers.differ(node, "containerd does without");
        assertInvalid(
                () ->
                        node.client()
                                .runtime()
                                .createContainer(
                                        CreateContainerRequest.newBuilder()
                                                .setPodSandboxId(pod.id())
                                                .setConfig(pod.shell("refused", "true"))
                                                .build()),
                "sandbox_config");
    }

    @Test
    void theImageIsToldAsItWasAskedFor() {
        Peers.differ(node, "containerd 1.6 does not know user_specified_image");
        ContainerConfig.Builder config = pod.shell("told", "true");
        config.getImageBuilder()
                .setUserSpecifiedImage("as-the-user-wrote-it")
                .putAnnotations("of", "the image");
        String id = pod.create(config.build());
        assertThat(pod.status(id).getImage().getUserSpecifiedImage())
                .isEqualTo("as-the-user-wrote-it");
        assertThat(pod.status(id).getImage().getAnnotationsMap()).containsEntry("of", "the image");
        pod.remove(id);
    }

    @Test
    void anImageOfAnotherHandlerIsRefused() {
        Peers.differ(node, "containerd 1.6 does not know the field");
        assertContainer(
                "runtime handler 'other'",
                config -> config.getImageBuilder().setRuntimeHandler("other"));
        ContainerConfig.Builder same = pod.shell("same", "true");
        same.getImageBuilder().setRuntimeHandler("runc");
        pod.remove(pod.create(same.build()));
    }

    @Test
    void anImageThatIsResolvedToAnotherIsRefused() {
        Peers.differ(node, "containerd 1.6 does not know the field");
        assertContainer(
                "config.image.image_ref",
                config -> config.getImageBuilder().setImageRef("localhost/other:1"));
        ContainerConfig.Builder same = pod.shell("same-ref", "true");
        same.getImageBuilder().setImageRef(TestNode.BUSYBOX);
        pod.remove(pod.create(same.build()));
    }

    /** Kubelet insists on success; the network is that of the CNI configuration in any case. */
    @Test
    void thePodNetworkOfKubeletIsTakenNoteOfOnly() {
        var client = node.client().runtime();
        client.updateRuntimeConfig(
                UpdateRuntimeConfigRequest.newBuilder()
                        .setRuntimeConfig(
                                RuntimeConfig.newBuilder()
                                        .setNetworkConfig(
                                                NetworkConfig.newBuilder()
                                                        .setPodCidr("10.99.0.0/16")))
                        .build());
        TestPod other = TestPod.run(node);
        assertThat(other.status().getNetwork().getIp()).doesNotStartWith("10.99.");
        other.stop();
        other.remove();
        Peers.differ(node, "containerd 1.6 does not know RuntimeConfig");
        assertThat(client.runtimeConfig(RuntimeConfigRequest.getDefaultInstance()).hasLinux())
                .isTrue();
    }
}
