package io.crema.runtime.nri;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxProcesses.SpawnRequest;
import io.crema.oci.linux.LinuxSockets.UnixSocket;
import io.crema.oci.process.Child;
import io.crema.oci.process.Children;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The plugins that the daemon starts itself: the executables of a directory. */
final class InstalledPlugins {
    private static final Logger LOG = LoggerFactory.getLogger(InstalledPlugins.class);

    /** As the plugin finds its end of the connection. */
    private static final int PLUGIN_DESCRIPTOR = 3;

    /**
     * One that is there.
     *
     * @param configuration what its file says; empty when it has none
     */
    record Installed(PluginName name, Path program, String configuration) {}

    /** A started one and our end of its connection. */
    record Launched(Child process, Descriptor socket) {}

    private final PluginSettings settings;

    InstalledPlugins(PluginSettings settings) {
        this.settings = settings;
    }

    /** In their order. A file that is none is told in the log; the others count. */
    List<Installed> find() {
        Path directory = settings.configuration().pluginDirectory();
        List<Installed> found = new ArrayList<>();
        if (!Files.isDirectory(directory)) {
            return found;
        }
        try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
            for (Path file : files) {
                if (Files.isRegularFile(file) && Files.isExecutable(file)) {
                    try {
                        PluginName name = PluginName.ofFile(file.getFileName().toString());
                        found.add(new Installed(name, file, configuration(name)));
                    } catch (PodException | IOException e) {
                        LOG.error("{} is not started as an NRI plugin: {}", file, e.getMessage());
                    }
                }
            }
        } catch (IOException e) {
            LOG.error("no NRI plugin is started: {} cannot be listed: {}", directory, e.toString());
        }
        found.sort(Comparator.comparing(plugin -> plugin.name().toString()));
        return found;
    }

    private String configuration(PluginName name) throws IOException {
        Path directory = settings.configuration().pluginConfigurationDirectory();
        for (String file : List.of(name + ".conf", name.base() + ".conf")) {
            Path path = directory.resolve(file);
            if (Files.exists(path)) {
                return Files.readString(path);
            }
        }
        return "";
    }

    /**
     * Starts one.
     *
     * @throws io.crema.oci.linux.LinuxException when that is not possible
     */
    Launched launch(Installed plugin) {
        Linux linux = settings.linux();
        Path path = settings.runDirectory().resolve("nri-" + plugin.name() + ".sock");
        try (Ends ends = Ends.make(linux, path)) {
            Child process =
                    new Children(linux, settings.loop())
                            .start(
                                    new SpawnRequest(
                                            plugin.program(),
                                            List.of(plugin.program().toString()),
                                            Map.of(
                                                    "NRI_PLUGIN_NAME",
                                                    plugin.name().base(),
                                                    "NRI_PLUGIN_IDX",
                                                    plugin.name().index(),
                                                    "NRI_PLUGIN_SOCKET",
                                                    Integer.toString(PLUGIN_DESCRIPTOR)),
                                            Map.of(PLUGIN_DESCRIPTOR, ends.theirs()),
                                            false));
            return new Launched(process, ends.keepOurs());
        }
    }

    /** Both ends of a connection; what is not kept is closed. */
    private static final class Ends implements AutoCloseable {
        private final Descriptor ours;
        private final Descriptor theirs;
        private boolean isKept;

        private Ends(Descriptor ours, Descriptor theirs) {
            this.ours = ours;
            this.theirs = theirs;
        }

        static Ends make(Linux linux, Path path) {
            try {
                Files.deleteIfExists(path);
                try (Descriptor listener = linux.listen(path, UnixSocket.STREAM, 1)) {
                    Descriptor theirs = linux.connect(path, UnixSocket.STREAM);
                    try {
                        return new Ends(linux.accept(listener), theirs);
                    } catch (RuntimeException e) {
                        theirs.close();
                        throw e;
                    }
                } finally {
                    Files.deleteIfExists(path);
                }
            } catch (IOException e) {
                throw PodException.invalid("cannot replace " + path + ": " + e);
            }
        }

        Descriptor theirs() {
            return theirs;
        }

        Descriptor keepOurs() {
            isKept = true;
            return ours;
        }

        @Override
        public void close() {
            theirs.close();
            if (!isKept) {
                ours.close();
            }
        }
    }
}
