package io.crema.runtime.spec;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.oci.spec.SpecJson;
import io.crema.runtime.cgroup.CgroupPath;
import io.crema.runtime.cgroup.Cgroups;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Runs specifications with the real runc on a root file system made of busybox, in a cgroup of its
 * own, and leaves nothing behind.
 */
final class RuncBox implements AutoCloseable {
    static final Linux LINUX = JnaLinux.load();
    static final NodeFacts NODE =
            new NodeProbe(Path.of("/")).detect(LINUX.lowestOomScoreAdjustment());
    private static final Path BUSYBOX = Path.of("/bin/busybox");
    private static final Duration PATIENCE = Duration.ofSeconds(60);
    private static final List<String> APPLETS =
            List.of(
                    "cat",
                    "chmod",
                    "cp",
                    "echo",
                    "env",
                    "grep",
                    "hostname",
                    "id",
                    "kill",
                    "ls",
                    "mkdir",
                    "mknod",
                    "mount",
                    "pwd",
                    "readlink",
                    "sh",
                    "sleep",
                    "stat",
                    "touch",
                    "true",
                    "unshare",
                    "whoami");

    /** What a container printed, both streams together, and its exit code. */
    record Result(int code, String output) {}

    final Path directory;
    final Path root;
    final Path bundle;
    final String cgroupParent;
    final Cgroups cgroups = new Cgroups(NODE.cgroups(), LINUX);
    private final Path state;
    private final List<String> started = new ArrayList<>();

    RuncBox(Path directory) throws IOException {
        this.directory = directory;
        this.root = Files.createDirectory(directory.resolve("root"));
        this.bundle = Files.createDirectory(directory.resolve("bundle"));
        this.state = Files.createDirectory(directory.resolve("runc"));
        this.cgroupParent = "/crema-test-" + ContainerId.random().value();
        fill(root);
    }

    static void fill(Path root) throws IOException {
        for (String name : List.of("bin", "etc", "tmp", "mnt")) {
            Files.createDirectories(root.resolve(name));
        }
        Files.copy(BUSYBOX, root.resolve("bin/busybox"));
        root.resolve("bin/busybox").toFile().setExecutable(true, false);
        for (String applet : APPLETS) {
            Files.createSymbolicLink(root.resolve("bin").resolve(applet), Path.of("busybox"));
        }
        Files.writeString(
                root.resolve("etc/passwd"),
                "root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n");
        Files.writeString(root.resolve("etc/group"), "root:x:0:\napp:x:1000:\nextra:x:50000:app\n");
    }

    /** Runs a container to its end. */
    Result run(String id, Path ofBundle) {
        return runc("run", "--bundle", ofBundle.toString(), id);
    }

    /** Starts a container that lives until this is closed; returns its pid. */
    int start(String id, RuntimeSpec spec) throws IOException {
        Path own = Files.createDirectory(directory.resolve("bundle-" + id));
        Files.write(own.resolve("config.json"), SpecJson.write(spec));
        return start(id, own);
    }

    int start(String id, Path ofBundle) throws IOException {
        started.add(id);
        Path pidFile = directory.resolve(id + ".pid");
        Result result =
                runc(
                        "run",
                        "--detach",
                        "--pid-file",
                        pidFile.toString(),
                        "--bundle",
                        ofBundle.toString(),
                        id);
        if (result.code() != 0) {
            throw new AssertionError("runc run " + id + ": " + result.output());
        }
        return Integer.parseInt(Files.readString(pidFile).strip());
    }

    Result runc(String... arguments) {
        List<String> command = new ArrayList<>(List.of("runc", "--root", state.toString()));
        command.addAll(List.of(arguments));
        return execute(command);
    }

    Result execute(List<String> command) {
        Path output = directory.resolve("output-" + System.nanoTime());
        try {
            Process process =
                    new ProcessBuilder(command)
                            .redirectInput(Path.of("/dev/null").toFile())
                            .redirectErrorStream(true)
                            .redirectOutput(output.toFile())
                            .start();
            if (!process.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
                throw new AssertionError("no end of " + command);
            }
            return new Result(
                    process.exitValue(), Files.readString(output, StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError(e);
        }
    }

    @Override
    public void close() {
        for (String id : started.reversed()) {
            runc("delete", "--force", id);
        }
        CgroupPath parent = new CgroupPath(cgroupParent);
        cgroups.killAll(parent, Deadline.after(PATIENCE));
        cgroups.remove(parent, Deadline.after(PATIENCE));
    }
}
