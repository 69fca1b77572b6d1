package io.crema.oci.lab;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * An OCI bundle whose root file system is Debian's static busybox: {@code config.json} and {@code
 * rootfs}. Changed by its setters until {@link #write}.
 */
public final class BusyboxBundle {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Path BUSYBOX = Path.of("/bin/busybox");
    private static final List<String> APPLETS =
            List.of(
                    "sh", "sleep", "cat", "echo", "ls", "id", "ps", "kill", "true", "false", "dd",
                    "seq", "env", "tty", "head", "yes", "setsid", "usleep");

    private final Path directory;
    private final ObjectNode config;

    public BusyboxBundle(Path directory, String cgroupsPath, List<String> command) {
        this.directory = directory;
        this.config = configuration(cgroupsPath, command);
    }

    public Path directory() {
        return directory;
    }

    public BusyboxBundle terminal() {
        process().put("terminal", true);
        return this;
    }

    public BusyboxBundle memoryLimit(long bytes) {
        ObjectNode memory = config.withObject("/linux/resources/memory");
        memory.put("limit", bytes).put("swap", bytes);
        return this;
    }

    /** The process of the configuration with another command, as an exec wants it. */
    public byte[] processJson(List<String> command) throws IOException {
        ObjectNode process = process().deepCopy();
        process.set("args", strings(command));
        return JSON.writeValueAsBytes(process);
    }

    public BusyboxBundle write() throws IOException {
        Path root = directory.resolve("rootfs");
        for (String name : List.of("bin", "proc", "dev", "sys", "tmp", "etc")) {
            Files.createDirectories(root.resolve(name));
        }
        Path busybox = root.resolve("bin/busybox");
        if (!Files.exists(busybox)) {
            Files.copy(BUSYBOX, busybox);
            for (String applet : APPLETS) {
                Files.createSymbolicLink(root.resolve("bin").resolve(applet), Path.of("busybox"));
            }
        }
        Files.write(directory.resolve("config.json"), JSON.writeValueAsBytes(config));
        return this;
    }

    private ObjectNode process() {
        return config.withObject("/process");
    }

    private static ArrayNode strings(List<String> values) {
        ArrayNode array = JSON.createArrayNode();
        values.forEach(array::add);
        return array;
    }

    private static ObjectNode configuration(String cgroupsPath, List<String> command) {
        try {
            ObjectNode config =
                    (ObjectNode)
                            JSON.readTree(
                                    """
                                    {"ociVersion": "1.0.2",
                                     "process": {
                                       "terminal": false,
                                       "user": {"uid": 0, "gid": 0},
                                       "env": ["PATH=/bin"],
                                       "cwd": "/",
                                       "capabilities": {
                                         "bounding": ["CAP_KILL"],
                                         "effective": ["CAP_KILL"],
                                         "permitted": ["CAP_KILL"]},
                                       "noNewPrivileges": true},
                                     "root": {"path": "rootfs"},
                                     "hostname": "lab",
                                     "mounts": [
                                       {"destination": "/proc", "type": "proc", "source": "proc"},
                                       {"destination": "/dev", "type": "tmpfs", "source": "tmpfs",
                                        "options": ["nosuid", "mode=755", "size=65536k"]},
                                       {"destination": "/dev/pts", "type": "devpts",
                                        "source": "devpts",
                                        "options": ["nosuid", "noexec", "newinstance",
                                                    "ptmxmode=0666", "mode=0620"]}],
                                     "linux": {
                                       "resources": {},
                                       "namespaces": [{"type": "pid"}, {"type": "network"},
                                         {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}]}}
                                    """
                                            .getBytes(StandardCharsets.UTF_8));
            config.withObject("/linux").put("cgroupsPath", cgroupsPath);
            config.withObject("/process").set("args", strings(command));
            return config;
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
