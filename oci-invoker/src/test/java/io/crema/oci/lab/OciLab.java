package io.crema.oci.lab;

import io.crema.base.ContainerId;
import io.crema.base.Deadline;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.monitor.ConmonMonitor;
import io.crema.oci.monitor.ConmonSettings;
import io.crema.oci.monitor.ContainerMonitor.ExecResult;
import io.crema.oci.monitor.ContainerMonitor.Exit;
import io.crema.oci.monitor.ContainerMonitor.MonitorRequest;
import io.crema.oci.monitor.ContainerMonitor.Monitored;
import io.crema.oci.process.PollLoop;
import io.crema.oci.process.SpawnedCommands;
import io.crema.oci.runtime.CommandLineRuntime;
import io.crema.oci.runtime.OciRuntime;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;

/**
 * A place for containers made by a real or scripted runtime and monitor, with directories and a
 * cgroup of its own; {@link #close} deletes what a test left.
 */
public final class OciLab implements AutoCloseable {
    public static final Duration LONG = Duration.ofSeconds(30);
    private static final Path CGROUPS = Path.of("/sys/fs/cgroup");

    private final Path directory;
    private final String cgroup;
    private final Linux linux = JnaLinux.load();
    private final PollLoop loop = PollLoop.start(linux);
    private final SpawnedCommands commands = new SpawnedCommands(linux, loop);
    private final OciRuntime runtime;
    private final ConmonMonitor monitor;
    private final List<Container> containers = new ArrayList<>();

    public OciLab(Path directory, Path runtime, Path conmon) {
        this(
                directory,
                runtime,
                conmon,
                "/crema-lab-" + ContainerId.random().value().substring(0, 12));
    }

    /** A lab that may take over another one's directory and cgroup. */
    public OciLab(Path directory, Path runtime, Path conmon, String cgroup) {
        this.cgroup = cgroup;
        this.directory = directory;
        this.runtime =
                new CommandLineRuntime("lab", runtime, directory.resolve("state"), commands, linux);
        this.monitor =
                new ConmonMonitor(
                        new ConmonSettings(conmon, directory.resolve("exits"), false),
                        commands,
                        linux,
                        loop);
    }

    public Linux linux() {
        return linux;
    }

    public SpawnedCommands commands() {
        return commands;
    }

    public OciRuntime runtime() {
        return runtime;
    }

    public ConmonMonitor monitor() {
        return monitor;
    }

    public Path exitsDirectory() {
        return directory.resolve("exits");
    }

    /** A deadline for anything that has to work. */
    public static Deadline soon() {
        return Deadline.after(LONG);
    }

    /** Waits until something is so; fails with the description when it never is. */
    public static void until(String description, BooleanSupplier condition) {
        Deadline deadline = soon();
        while (!condition.getAsBoolean()) {
            if (deadline.hasPassed()) {
                throw new AssertionError("never happened: " + description);
            }
            try {
                Thread.sleep(2);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new AssertionError(e);
            }
        }
    }

    /** A container that runs a busybox command, not created yet. */
    public Container container(String... command) {
        return container(ContainerId.random(), command);
    }

    /** A container that another lab may have made. */
    public Container container(ContainerId id, String... command) {
        Container container = new Container(id, List.of(command));
        containers.add(container);
        return container;
    }

    /** Every directory of this lab's cgroup in every hierarchy. */
    public List<Path> cgroupDirectories() throws IOException {
        List<Path> found = new ArrayList<>();
        List<Path> hierarchies = new ArrayList<>();
        hierarchies.add(CGROUPS);
        try (Stream<Path> children = Files.list(CGROUPS)) {
            children.filter(Files::isDirectory).forEach(hierarchies::add);
        }
        for (Path hierarchy : hierarchies) {
            Path top = hierarchy.resolve(cgroup.substring(1));
            if (Files.isDirectory(top)) {
                try (Stream<Path> tree = Files.walk(top)) {
                    tree.filter(Files::isDirectory).forEach(found::add);
                }
            }
        }
        return found;
    }

    /** Command lines of all processes that speak of a container of this lab. */
    public List<String> processes() throws IOException {
        List<String> found = new ArrayList<>();
        try (Stream<Path> all = Files.list(Path.of("/proc"))) {
            for (Path process : (Iterable<Path>) all::iterator) {
                if (Character.isDigit(process.getFileName().toString().charAt(0))) {
                    String line = commandLine(process);
                    if (containers.stream().anyMatch(c -> line.contains(c.id.value()))) {
                        found.add(process.getFileName() + " " + line);
                    }
                }
            }
        }
        return found;
    }

    private static String commandLine(Path process) {
        try {
            return Files.readString(
                            process.resolve("cmdline"),
                            java.nio.charset.StandardCharsets.ISO_8859_1)
                    .replace('\0', ' ');
        } catch (IOException e) {
            return "";
        }
    }

    @Override
    public void close() throws IOException {
        for (Container container : containers) {
            container.remove();
        }
        // Deepest first; a directory that is not empty by now is a leak and fails the test.
        List<Path> left = cgroupDirectories();
        for (int i = left.size() - 1; i >= 0; i--) {
            Files.delete(left.get(i));
        }
        loop.close();
    }

    /** One container of the lab. */
    public final class Container {
        private final ContainerId id;
        private final BusyboxBundle bundle;
        private Optional<Path> log;
        private boolean terminal;
        private boolean stdin;
        private Optional<Path> ownMonitor = Optional.empty();
        private Optional<Monitored> monitored = Optional.empty();

        private Container(ContainerId id, List<String> command) {
            this.id = id;
            Path home = directory.resolve(id.value());
            this.bundle = new BusyboxBundle(home.resolve("b"), cgroup + "/" + id, command);
            this.log = Optional.of(home.resolve("log with space").resolve("0.log"));
        }

        public ContainerId id() {
            return id;
        }

        public BusyboxBundle bundle() {
            return bundle;
        }

        public Path persistDirectory() {
            return bundle.directory().resolveSibling("persist");
        }

        public Path log() {
            return log.orElseThrow();
        }

        public String monitorCgroup() {
            return cgroup + "/monitor-" + id;
        }

        public Container withoutLog() {
            log = Optional.empty();
            return this;
        }

        public Container withLog(Path file) {
            log = Optional.of(file);
            return this;
        }

        public Container withTerminal() {
            terminal = true;
            bundle.terminal();
            return this;
        }

        /** As when the container's handler has another conmon than the default one. */
        public Container withMonitor(Path conmon) {
            ownMonitor = Optional.of(conmon);
            return this;
        }

        public Container withStdin() {
            stdin = true;
            return this;
        }

        public MonitorRequest request() {
            return new MonitorRequest(
                    id,
                    "lab-container",
                    runtime,
                    bundle.directory(),
                    persistDirectory(),
                    log,
                    0,
                    terminal,
                    stdin,
                    false,
                    false,
                    monitorCgroup(),
                    ownMonitor,
                    List.of(),
                    Optional.empty());
        }

        public Container create() throws IOException {
            return create(soon());
        }

        public Container create(Deadline deadline) throws IOException {
            bundle.write();
            if (log.isPresent()) {
                Files.createDirectories(log.get().getParent());
            }
            monitored = Optional.of(monitor.create(request(), deadline));
            return this;
        }

        public Container start() throws IOException {
            create();
            runtime.start(id, soon());
            return this;
        }

        public Monitored monitored() {
            return monitored.orElseThrow();
        }

        public Optional<Exit> exit() {
            return monitor.exit(persistDirectory(), bundle.directory());
        }

        public Exit awaitExit() {
            until("exit of container " + id, () -> exit().isPresent());
            return exit().orElseThrow();
        }

        public ExecResult exec(String... command) throws IOException {
            return exec(Optional.empty(), 1 << 20, command);
        }

        public ExecResult exec(Optional<Duration> timeout, int maxOutputBytes, String... command)
                throws IOException {
            return monitor.execSync(
                    runtime,
                    id,
                    bundle.directory(),
                    bundle.processJson(List.of(command)),
                    terminal,
                    timeout,
                    maxOutputBytes,
                    Deadline.none());
        }

        /** What the container wrote to its log, without times: "stdout F text". */
        public List<String> logLines() throws IOException {
            return lines(log());
        }

        public List<String> lines(Path log) throws IOException {
            return Files.readAllLines(log).stream()
                    .map(line -> line.substring(line.indexOf(' ') + 1))
                    .toList();
        }

        public void remove() {
            runtime.delete(id, true, soon());
            monitor.release(id, monitored, monitorCgroup(), false, soon());
        }
    }
}
