package io.crema.e2e.node;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The daemon that a node runs: Crema as the build left it, or Debian's containerd, on which a
 * black-box test must pass, too, before it is believed.
 */
public enum RuntimeUnderTest {
    CREMA {
        @Override
        void configure(TestNode node) throws IOException {
            Path etc = Files.createDirectories(node.directory().resolve("etc"));
            Files.writeString(
                    etc.resolve("crema.conf"),
                    """
                    [crio]
                    root = "%1$s/root"
                    runroot = "%2$s"
                    log_dir = "%1$s/logs"
                    version_file = "%2$s/version"
                    [crio.api]
                    listen = "%2$s/cri.sock"
                    [crio.runtime]
                    default_runtime = "runc"
                    cgroup_manager = "cgroupfs"
                    namespaces_dir = "%2$s"
                    container_exits_dir = "%2$s/exits"
                    container_attach_socket_dir = "%2$s/attach"
                    log_level = "%4$s"
                    [crio.runtime.runtimes.runc]
                    runtime_path = "%3$s"
                    runtime_root = "%2$s/runc"
                    monitor_path = "/usr/bin/conmon"
                    monitor_cgroup = "pod"
                    [crio.image]
                    short_name_mode = "disabled"
                    [crio.network]
                    network_dir = "%1$s/cni"
                    plugin_dirs = [%5$s]
                    [crio.nri]
                    nri_listen = "%2$s/nri.sock"
                    nri_plugin_dir = "%1$s/nri"
                    nri_plugin_config_dir = "%1$s/etc/nri"
                    """
                            .formatted(
                                    node.directory(),
                                    node.runDirectory(),
                                    node.setup().ociRuntime(),
                                    node.setup().debug() ? "debug" : "info",
                                    node.pluginDirectories().stream()
                                            .map(directory -> '"' + directory.toString() + '"')
                                            .collect(Collectors.joining(", "))));
            // A file of its own may add to tables of the first.
            Files.createDirectories(etc.resolve("conf.d"));
            Files.writeString(etc.resolve("conf.d/10-test.conf"), node.setup().configuration());
            StringBuilder registries = new StringBuilder("unqualified-search-registries = []\n");
            for (String registry : node.setup().registries()) {
                registries
                        .append("[[registry]]\nlocation = \"")
                        .append(registry)
                        .append("\"\ninsecure = true\n");
            }
            Files.writeString(etc.resolve("registries.conf"), registries);
        }

        @Override
        List<String> command(TestNode node) {
            Path etc = node.directory().resolve("etc");
            return List.of(
                    System.getProperty("crema.binary", "../cri-server/target/crema/bin/crema"),
                    "--config",
                    etc.resolve("crema.conf").toString(),
                    "--config-dir",
                    etc.resolve("conf.d").toString(),
                    "--registries-conf",
                    etc.resolve("registries.conf").toString());
        }

        @Override
        void load(TestNode node, Path archive) {
            Shell.run(node.crema("load", archive.toString()));
        }
    },
    CONTAINERD {
        @Override
        void configure(TestNode node) throws IOException {
            // containerd takes one directory of plugins only.
            Path plugins = Files.createDirectories(node.directory().resolve("plugins"));
            for (Path directory : node.pluginDirectories().reversed()) {
                Shell.run("sh", "-c", "ln -sf " + directory + "/* " + plugins);
            }
            for (String registry : node.setup().registries()) {
                Path hosts = node.directory().resolve("certs.d").resolve(registry);
                Files.createDirectories(hosts);
                Files.writeString(
                        hosts.resolve("hosts.toml"),
                        "server = \"http://"
                                + registry
                                + "\"\n[host.\"http://"
                                + registry
                                + "\"]\n  capabilities = [\"pull\", \"resolve\"]\n");
            }
            Files.writeString(
                    node.directory().resolve("config.toml"),
                    """
                    version = 2
                    root = "%1$s/root"
                    state = "%2$s/state"
                    [grpc]
                      address = "%2$s/cri.sock"
                    [plugins."io.containerd.internal.v1.opt"]
                      path = "%1$s/opt"
                    [plugins."io.containerd.grpc.v1.cri"]
                      restrict_oom_score_adj = true
                      sandbox_image = "%3$s"
                      netns_mounts_under_state_dir = true
                      [plugins."io.containerd.grpc.v1.cri".cni]
                        bin_dir = "%1$s/plugins"
                        conf_dir = "%1$s/cni"
                      [plugins."io.containerd.grpc.v1.cri".registry]
                        config_path = "%1$s/certs.d"
                      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
                        runtime_type = "io.containerd.runc.v2"
                        [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
                          BinaryName = "%4$s"
                          Root = "%2$s/runc"
                    """
                            .formatted(
                                    node.directory(),
                                    node.runDirectory(),
                                    TestNode.PAUSE,
                                    node.setup().ociRuntime()));
        }

        @Override
        List<String> command(TestNode node) {
            return List.of("containerd", "-c", node.directory().resolve("config.toml").toString());
        }

        @Override
        void load(TestNode node, Path archive) {
            Shell.run(
                    "ctr",
                    "--address",
                    node.socket().toString(),
                    "--namespace",
                    "k8s.io",
                    "images",
                    "import",
                    archive.toString());
        }
    };

    /** What {@code -Dcrema.endpoint} says: crema (the default) or containerd. */
    public static RuntimeUnderTest configured() {
        return switch (System.getProperty("crema.endpoint", "crema")) {
            case "crema" -> CREMA;
            case "containerd" -> CONTAINERD;
            default ->
                    throw new IllegalArgumentException(
                            "crema.endpoint must be crema or containerd, not "
                                    + System.getProperty("crema.endpoint"));
        };
    }

    public boolean isOurs() {
        return this == CREMA;
    }

    abstract void configure(TestNode node) throws IOException;

    abstract List<String> command(TestNode node);

    /** Loads an OCI archive without a registry. */
    abstract void load(TestNode node, Path archive);

    Map<String, String> environment() {
        return Map.of();
    }
}
