package io.crema.runtime.spec;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.base.PodSandboxId;
import io.crema.conf.ConfigurationLoader;
import io.crema.conf.HostFacts;
import io.crema.conf.SecurityConfiguration;
import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerMetadata;
import io.crema.cri.v1.IDMapping;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.UserNamespace;
import io.crema.image.ImageConfiguration;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxMounts.MountEntry;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.runtime.RuntimeFeatures;
import io.crema.runtime.selinux.SelinuxLabels;
import io.crema.runtime.state.Layout;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Consumer;

/**
 * One container to be specified, with everything usual: a root file system in a temporary
 * directory, a pod with a network of its own, the default configuration. Tests change what they are
 * about.
 */
final class SpecFixture {
    static final ContainerId ID = new ContainerId("c".repeat(64));
    static final PodSandboxId POD = new PodSandboxId("d".repeat(64));
    private static final Linux LINUX = JnaLinux.load();

    final Path root;
    final Path bundle;
    final ContainerConfig.Builder config =
            ContainerConfig.newBuilder()
                    .setMetadata(ContainerMetadata.newBuilder().setName("main"))
                    .addCommand("/bin/sh");
    final PodSandboxConfig.Builder sandbox = PodSandboxConfig.newBuilder();
    NodeFacts node = Node.usual();
    String toml = "";
    String imageUser = "";
    String imageStopSignal = "";
    String imageDirectory = "";
    List<String> imageEnvironment = List.of();
    List<String> imageEntrypoint = List.of();
    List<String> imageCommand = List.of();
    Set<String> imageVolumes = Set.of();
    List<ImageVolume> imageVolumesOfMounts = List.of();
    Set<String> runtimeMountOptions = Set.of("rro");
    OptionalInt initPid = OptionalInt.empty();
    OptionalInt targetPid = OptionalInt.empty();
    List<MountEntry> mountTable = List.of(mountOf("/", List.of()));
    Deadline deadline = Deadline.none();
    Optional<SelinuxLabels> selinux = Optional.empty();
    Path aroundStorage = Path.of("/nowhere");
    Path appArmorRoot = Path.of("/nonexistent");

    SpecFixture(Path directory) {
        this.root = directory.resolve("rootfs");
        this.bundle = directory.resolve("bundle");
        try {
            Files.createDirectories(root.resolve("etc"));
            Files.createDirectories(bundle);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        security(options -> options.setPid(NamespaceMode.CONTAINER));
    }

    /** Sets namespace options of the pod and of the container alike, as kubelet does. */
    private void security(Consumer<io.crema.cri.v1.NamespaceOption.Builder> change) {
        change.accept(
                sandbox.getLinuxBuilder().getSecurityContextBuilder().getNamespaceOptionsBuilder());
        change.accept(
                config.getLinuxBuilder().getSecurityContextBuilder().getNamespaceOptionsBuilder());
    }

    /** Gives the pod users of its own. */
    void mapUsers(int hostId, int length) {
        IDMapping mapping = IDMapping.newBuilder().setHostId(hostId).setLength(length).build();
        security(options ->
                options.setUsernsOptions(
                        UserNamespace.newBuilder()
                                .setMode(NamespaceMode.POD)
                                .addUids(mapping)
                                .addGids(mapping)));
    }

    static MountEntry mountOf(String place, List<String> optionalFields) {
        return new MountEntry(
                1, 1, Path.of("/"), Path.of(place), "rw", optionalFields, "ext4", "/dev/x", "rw");
    }

    void write(String file, String content) {
        try {
            Path path = root.resolve(file);
            Files.createDirectories(path.getParent());
            Files.writeString(path, content);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** As on a node with SELinux, whose kernel knows every context. */
    void labelFiles(Path fakeRoot) {
        Layout layout = new Layout(fakeRoot, fakeRoot, fakeRoot, fakeRoot);
        try {
            Files.createDirectories(layout.sandbox(POD));
            Files.createDirectories(fakeRoot.resolve("sys/fs/selinux"));
            Files.createFile(fakeRoot.resolve("sys/fs/selinux/context"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        SecurityConfiguration security =
                new SecurityConfiguration(
                        true,
                        true,
                        Optional.empty(),
                        Optional.empty(),
                        "crema-default",
                        List.of(),
                        false);
        selinux = Optional.of(SelinuxLabels.of(fakeRoot, layout, security, true));
    }

    SpecSettings settings() {
        return SpecSettings.of(
                new ConfigurationLoader(new HostFacts(false)).parse(toml).configuration(),
                List.of(aroundStorage));
    }

    Handler handler() {
        return new Handler(
                settings().runtime().defaultHandler(),
                new RuntimeFeatures(true, "1.1.5", runtimeMountOptions, false));
    }

    SandboxFacts sandboxFacts() {
        PodSandboxConfig pod = sandbox.build();
        var options = pod.getLinux().getSecurityContext().getNamespaceOptions();
        boolean hostNetwork = options.getNetwork() == NamespaceMode.NODE;
        boolean hostIpc = options.getIpc() == NamespaceMode.NODE;
        return new SandboxFacts(
                POD,
                pod,
                "pod-name",
                "/kubepods/pod1",
                hostNetwork ? Optional.empty() : Optional.of(Path.of("/run/ns/net")),
                hostIpc ? Optional.empty() : Optional.of(Path.of("/run/ns/ipc")),
                hostNetwork ? Optional.empty() : Optional.of(Path.of("/run/ns/uts")),
                initPid,
                hostIpc ? Path.of("/dev/shm") : Path.of("/run/shm/pod"),
                Path.of("/pod/resolv.conf"),
                Path.of("/pod/hostname"),
                Optional.of(Path.of("/pod/hosts")),
                options.getUsernsOptions().getUidsCount() > 0
                        ? Optional.of(Path.of("/run/ns/user"))
                        : Optional.empty());
    }

    SpecRequest request() {
        return new SpecRequest(
                ID,
                config.build(),
                sandboxFacts(),
                new ImageConfiguration(
                        "amd64",
                        "linux",
                        imageUser,
                        imageEnvironment,
                        imageEntrypoint,
                        imageCommand,
                        imageDirectory,
                        imageStopSignal,
                        imageVolumes,
                        Map.of()),
                "example/image:1",
                root,
                bundle,
                handler(),
                targetPid,
                imageVolumesOfMounts,
                bundle.resolve("volumes"));
    }

    /** The real kernel but for its mount table. */
    Linux linux() {
        return (Linux)
                Proxy.newProxyInstance(
                        SpecFixture.class.getClassLoader(),
                        new Class<?>[] {Linux.class},
                        (proxy, method, arguments) -> {
                            if (method.getName().equals("mounts")) {
                                return mountTable;
                            }
                            try {
                                return method.invoke(LINUX, arguments);
                            } catch (InvocationTargetException e) {
                                throw e.getCause();
                            }
                        });
    }

    BuiltSpec build() {
        return new ContainerSpecBuilder(
                        linux(),
                        node,
                        settings(),
                        AppArmorProfiles.loadedElsewhere(appArmorRoot),
                        selinux)
                .build(request(), deadline);
    }
}
