package io.crema.runtime;

import io.crema.base.Deadline;
import io.crema.cni.CniPodNetworks;
import io.crema.cni.CniSettings;
import io.crema.conf.ConfigurationLoader;
import io.crema.conf.CremaConfiguration;
import io.crema.conf.HostFacts;
import io.crema.cri.v1.NamespaceOption;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.PodSandboxMetadata;
import io.crema.cri.v1.RunPodSandboxRequest;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.monitor.ConmonMonitor;
import io.crema.oci.monitor.ConmonSettings;
import io.crema.oci.process.PollLoop;
import io.crema.oci.process.SpawnedCommands;
import io.crema.oci.runtime.CommandLineRuntime;
import io.crema.oci.runtime.Criu;
import io.crema.oci.userns.UserNamespaces;
import io.crema.runtime.cgroup.CgroupPlacement;
import io.crema.runtime.cgroup.Cgroups;
import io.crema.runtime.selinux.SelinuxLabels;
import io.crema.runtime.spec.AppArmorProfiles;
import io.crema.runtime.spec.ContainerSpecBuilder;
import io.crema.runtime.spec.NodeFacts;
import io.crema.runtime.spec.NodeProbe;
import io.crema.runtime.spec.SandboxInitSpec;
import io.crema.runtime.spec.SpecSettings;
import io.crema.runtime.state.Layout;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Clock;
import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Stream;

/**
 * The runtime of this module with real Linux, conmon and runc and a scripted CNI plugin that makes
 * no link, below a directory of its own.
 */
final class TestRuntime implements AutoCloseable {
    static final Deadline LONG = Deadline.after(Duration.ofMinutes(5));

    private final PollLoop loop;
    private final CniPodNetworks networks;
    final Linux linux;
    final Layout layout;
    final NodeServices services;
    final NodePodRuntime runtime;
    final DirectoryImages images;
    private final Path directory;

    TestRuntime(Path directory) throws IOException {
        this(directory, JnaLinux.load(), Path.of("/usr/sbin/runc"));
    }

    /**
     * @param ociRuntime beside which criu is looked for
     */
    TestRuntime(Path directory, Linux linux, Path ociRuntime) throws IOException {
        this.directory = directory;
        this.linux = linux;
        loop = PollLoop.start(linux);
        SpawnedCommands commands = new SpawnedCommands(linux, loop);
        CremaConfiguration configuration = configuration(directory);
        layout =
                new Layout(
                        directory.resolve("root"),
                        directory.resolve("run"),
                        directory.resolve("run"),
                        directory.resolve("run/boot"));
        networks =
                new CniPodNetworks(
                        CniSettings.of(configuration.network(), directory.toString()),
                        commands,
                        Clock.systemUTC());
        NodeFacts facts = new NodeProbe(Path.of("/")).detect(linux.lowestOomScoreAdjustment());
        CgroupPlacement placement = new CgroupPlacement(configuration.runtime().cgroupManager());
        SpecSettings specs = SpecSettings.of(configuration, List.of(layout.volatileRoot()));
        images = new DirectoryImages(linux, directory.resolve("layer"));
        services =
                new NodeServices(
                        linux,
                        loop,
                        networks,
                        new ConmonMonitor(
                                new ConmonSettings(
                                        Path.of("/usr/bin/conmon"),
                                        directory.resolve("run/exits"),
                                        false),
                                commands,
                                linux,
                                loop),
                        new RuntimeHandlers(
                                Map.of(
                                        "runc",
                                        new CommandLineRuntime(
                                                "runc",
                                                ociRuntime,
                                                directory.resolve("run/runc"),
                                                commands,
                                                linux)),
                                "runc"),
                        images,
                        new Cgroups(facts.cgroups(), linux),
                        placement,
                        facts,
                        layout,
                        new RuntimeSettings(configuration),
                        Clock.systemUTC(),
                        new UserNamespaces(linux, loop, commands),
                        new Criu(
                                commands,
                                Map.of("PATH", ociRuntime.resolveSibling(".").toString())),
                        SelinuxLabels.none(layout),
                        commands);
        runtime =
                NodePodRuntime.recover(
                        services,
                        new ContainerSpecBuilder(
                                linux,
                                facts,
                                specs,
                                AppArmorProfiles.loadedElsewhere(Path.of("/"))),
                        new SandboxInitSpec(
                                linux,
                                facts,
                                specs,
                                AppArmorProfiles.loadedElsewhere(Path.of("/"))));
    }

    private static CremaConfiguration configuration(Path directory) throws IOException {
        Path networks = Files.createDirectories(directory.resolve("cni"));
        Path plugin = Files.createDirectories(directory.resolve("plugins")).resolve("still");
        Files.writeString(
                plugin,
                """
                #!/bin/sh
                cat >/dev/null
                echo "$CNI_COMMAND $CNI_CONTAINERID" >>%1$s/cni.log
                [ "$CNI_COMMAND" != VERSION ] || echo '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}'
                [ "$CNI_COMMAND" != ADD ] || echo '{"cniVersion":"1.0.0","ips":[{"address":"10.86.0.2/24"}]}'
                """
                        .formatted(directory));
        Files.setPosixFilePermissions(plugin, PosixFilePermissions.fromString("rwxr-xr-x"));
        Files.writeString(
                networks.resolve("10-test.conflist"),
                """
                {"cniVersion":"1.0.0","name":"test","plugins":[{"type":"still"}]}
                """);
        return new ConfigurationLoader(HostFacts.detect())
                .parse(
                        """
                        [crio]
                        root = "%1$s/root"
                        runroot = "%1$s/run"
                        log_dir = "%1$s/logs"
                        [crio.runtime]
                        default_runtime = "runc"
                        cgroup_manager = "cgroupfs"
                        [crio.runtime.runtimes.runc]
                        runtime_path = "/usr/sbin/runc"
                        monitor_cgroup = "pod"
                        [crio.network]
                        network_dir = "%1$s/cni"
                        plugin_dirs = ["%1$s/plugins"]
                        """
                                .formatted(directory))
                .configuration();
    }

    /** A pod in a cgroup that is named after the directory. */
    String runPod(String name, NamespaceOption namespaces) {
        PodSandboxConfig.Builder config =
                PodSandboxConfig.newBuilder()
                        .setMetadata(
                                PodSandboxMetadata.newBuilder()
                                        .setName(name)
                                        .setNamespace("test")
                                        .setUid(UUID.randomUUID().toString()))
                        .setHostname("pod");
        config.getLinuxBuilder()
                .setCgroupParent("/" + directory.getFileName())
                .getSecurityContextBuilder()
                .setNamespaceOptions(namespaces);
        return runtime.runPodSandbox(
                        RunPodSandboxRequest.newBuilder().setConfig(config).build(), LONG)
                .getPodSandboxId();
    }

    @Override
    public void close() {
        runtime.close();
        networks.close();
        loop.close();
    }

    /** Cgroups of pods are kubelet's, for whom the tests stand; they bear the directory's name. */
    static void removePodCgroups(Path directory) {
        String name = String.valueOf(directory.getFileName());
        try (Stream<Path> controllers = Files.list(Path.of("/sys/fs/cgroup"))) {
            for (Path parent :
                    Stream.concat(Stream.of(Path.of("/sys/fs/cgroup")), controllers).toList()) {
                Path pods = parent.resolve(name);
                if (Files.isDirectory(pods)) {
                    try (Stream<Path> below = Files.walk(pods)) {
                        for (Path cgroup :
                                below.filter(Files::isDirectory)
                                        .sorted(Comparator.reverseOrder())
                                        .toList()) {
                            Files.delete(cgroup);
                        }
                    }
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException("a pod's cgroup is still in use", e);
        }
    }
}
