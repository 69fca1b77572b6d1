package io.crema.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Deadline;
import io.crema.base.PodSandboxId;
import io.crema.cni.PodNetworks.Attachment;
import io.crema.cni.PodNetworks.Dns;
import io.crema.cni.PodNetworks.HostPort;
import io.crema.cni.PodNetworks.Result;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxNamespaces.NamespaceKind;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.process.Commands;
import io.crema.oci.process.PollLoop;
import io.crema.oci.process.SpawnedCommands;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The bridge over Debian's plugins bridge, host-local and portmap. A network namespace of the
 * test's own plays the host: all plugins run in it, so that nothing of the machine's network is
 * touched.
 */
@Tag("root")
class RealPluginsTest {
    private static final Path PLUGINS = Path.of("/usr/lib/cni");
    private static final int HOST_PORT = 18080;

    private final Linux linux = JnaLinux.load();
    private final PollLoop loop = PollLoop.start(linux);
    private final Commands commands = new SpawnedCommands(linux, loop);
    private final Set<Path> pins = new HashSet<>();
    private final List<CniPodNetworks> opened = new ArrayList<>();
    private final Path directory;
    private final Path configuration;
    private final Path leases;
    private final Path host;

    RealPluginsTest(@TempDir Path directory) throws IOException {
        this.directory = directory;
        this.configuration = Files.createDirectory(directory.resolve("net.d"));
        this.leases = directory.resolve("leases").resolve("realnet");
        this.host = directory.resolve("host");
    }

    @BeforeEach
    void makeHost() throws IOException {
        pin(host);
        configure("");
    }

    @AfterEach
    void cleanUp() {
        opened.forEach(CniPodNetworks::close);
        linux.unpin(pins);
        loop.close();
    }

    private void pin(Path path) {
        pins.add(path);
        linux.createAndPin(Map.of(NamespaceKind.NETWORK, path), "", Map.of());
    }

    private void configure(String furtherPlugins) throws IOException {
        String list =
                """
                {"cniVersion":"1.0.0","name":"realnet","plugins":[
                  {"type":"bridge","bridge":"cni-test0","isGateway":true,"ipMasq":true,
                   "hairpinMode":true,
                   "ipam":{"type":"host-local","dataDir":"DATA",
                     "ranges":[[{"subnet":"10.87.0.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}},
                  {"type":"portmap","capabilities":{"portMappings":true},"snat":true}MORE]}
                """
                        .replace("DATA", directory.resolve("leases").toString())
                        .replace("MORE", furtherPlugins);
        Files.writeString(configuration.resolve("10-real.conflist"), list);
    }

    /** Puts a command into the host's namespace. */
    private Commands.Command onHost(Commands.Command command) {
        List<String> arguments = new ArrayList<>();
        arguments.add("--net=" + host);
        arguments.add("--");
        arguments.add(command.executable().toString());
        arguments.addAll(command.arguments());
        return new Commands.Command(
                Path.of("/usr/bin/nsenter"),
                arguments,
                command.environment(),
                command.input(),
                command.maxOutputBytes());
    }

    private CniPodNetworks open() {
        return open((command, deadline) -> commands.run(onHost(command), deadline));
    }

    private CniPodNetworks open(Commands runner) {
        CniSettings settings =
                CniSettings.of(
                        configuration,
                        List.of(directory.resolve("scripts").resolve("bin"), PLUGINS),
                        directory.resolve("cni"),
                        "root test");
        CniPodNetworks networks = new CniPodNetworks(settings, runner, InstantSource.system());
        opened.add(networks);
        return networks;
    }

    private Attachment pod(HostPort... ports) {
        PodSandboxId sandbox = PodSandboxId.random();
        Path namespace = directory.resolve(sandbox.shortForm());
        pin(namespace);
        return new Attachment(
                sandbox,
                "web",
                "shop",
                "uid-1",
                Optional.of(namespace),
                List.of(ports),
                new Dns(List.of(), List.of(), List.of()),
                "",
                Map.of());
    }

    private static Deadline soon() {
        return Deadline.after(Duration.ofSeconds(60));
    }

    /** The addresses that host-local holds as taken. */
    private List<String> takenAddresses() throws IOException {
        if (!Files.exists(leases)) {
            return List.of();
        }
        try (var files = Files.list(leases)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.startsWith("10."))
                    .sorted()
                    .toList();
        }
    }

    private String runOnHost(String executable, String... arguments) {
        Commands.Outcome outcome =
                commands.run(
                        onHost(
                                new Commands.Command(
                                        Path.of(executable),
                                        List.of(arguments),
                                        Map.of("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
                                        new byte[0],
                                        1 << 20)),
                        soon());
        assertThat(outcome.exit().isSuccess()).as(outcome.stderrText()).isTrue();
        return outcome.stdoutText();
    }

    /**
     * What is left of the pods' devices: the kernel takes those of a vanished namespace down late.
     */
    private String remainingVeths() {
        Deadline deadline = Deadline.after(Duration.ofSeconds(10));
        String veths;
        do {
            veths = runOnHost("/usr/sbin/ip", "-o", "link", "show", "type", "veth");
        } while (!veths.isEmpty() && !deadline.hasPassed());
        return veths;
    }

    private void assertNothingLeft(PodSandboxId sandbox) throws IOException {
        assertThat(takenAddresses()).isEmpty();
        assertThat(runOnHost("/usr/sbin/iptables-save")).doesNotContain(sandbox.value());
        assertThat(remainingVeths()).isEmpty();
        try (var files = Files.list(directory.resolve("cni").resolve("results"))) {
            assertThat(files).isEmpty();
        }
    }

    @Test
    void aPodGetsAnAddressAndAHostPortAndGivesBothBack() throws Exception {
        CniPodNetworks networks = open();
        Attachment pod =
                pod(new HostPort(HOST_PORT, 80, "TCP", ""), new HostPort(0, 81, "TCP", ""));
        Path namespace = pod.namespace().orElseThrow();

        Result result = networks.attach(pod, soon());

        assertThat(result.addresses()).hasSize(1);
        String address = result.addresses().getFirst().getHostAddress();
        assertThat(address).startsWith("10.87.0.");
        assertThat(takenAddresses()).containsExactly(address);
        assertThat(networks.attachments().getFirst().result()).contains(result);
        try (ServerSocketChannel server =
                linux.inNamespaces(
                        Map.of(NamespaceKind.NETWORK, namespace),
                        () ->
                                ServerSocketChannel.open()
                                        .bind(
                                                new InetSocketAddress(
                                                        InetAddress.ofLiteral("0.0.0.0"), 80)))) {
            assertThat(
                            greetThrough(
                                    server,
                                    new InetSocketAddress(result.addresses().getFirst(), 80)))
                    .isEqualTo("hello");
            assertThat(
                            greetThrough(
                                    server,
                                    new InetSocketAddress(
                                            InetAddress.ofLiteral("127.0.0.1"), HOST_PORT)))
                    .isEqualTo("hello");
        }

        networks.detach(pod, soon());
        assertNothingLeft(pod.sandbox());
        networks.detach(pod, soon());
        assertThatThrownBy(() -> networks.check(pod, soon())).isInstanceOf(NetworkException.class);
    }

    /** Connects from the host's namespace and reads what the pod's server says. */
    private String greetThrough(ServerSocketChannel server, InetSocketAddress target)
            throws Exception {
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<?> greeting =
                    threads.submit(() -> {
                        try (SocketChannel accepted = server.accept()) {
                            return accepted.write(
                                    ByteBuffer.wrap("hello".getBytes(StandardCharsets.UTF_8)));
                        }
                    });
            try (SocketChannel client =
                    linux.inNamespaces(
                            Map.of(NamespaceKind.NETWORK, host),
                            () -> {
                                SocketChannel channel = SocketChannel.open();
                                channel.socket().connect(target, 5_000);
                                return channel;
                            })) {
                ByteBuffer buffer = ByteBuffer.allocate(16);
                int count = 0;
                while (count >= 0) {
                    count = client.read(buffer);
                }
                greeting.get(5, TimeUnit.SECONDS);
                return new String(buffer.array(), 0, buffer.position(), StandardCharsets.UTF_8);
            } finally {
                greeting.cancel(true);
            }
        }
    }

    /** Without host ports: portmap 1.1.1 looks for IPv6 rules that it never made. */
    @Test
    void checkSeesThatTheInterfaceIsGone() throws Exception {
        CniPodNetworks networks = open();
        Attachment pod = pod();
        networks.attach(pod, soon());
        networks.check(pod, soon());
        String veth = runOnHost("/usr/sbin/ip", "-o", "link", "show", "type", "veth");
        int start = veth.indexOf(' ') + 1;
        runOnHost("/usr/sbin/ip", "link", "delete", veth.substring(start, veth.indexOf('@')));
        assertThatThrownBy(() -> networks.check(pod, soon()))
                .hasMessageContaining("CNI CHECK by plugin bridge");
        networks.detach(pod, soon());
        assertThat(takenAddresses()).isEmpty();
    }

    /**
     * Without masquerading: bridge 1.1.1 finds its masquerading rules only by the addresses inside
     * the namespace, and leaves them behind when that is gone.
     */
    @Test
    void theLeaseIsFreedAfterTheNamespaceVanished() throws Exception {
        Path list = configuration.resolve("10-real.conflist");
        Files.writeString(
                list, Files.readString(list).replace("\"ipMasq\":true", "\"ipMasq\":false"));
        CniPodNetworks networks = open();
        Attachment gone = pod(new HostPort(HOST_PORT, 80, "TCP", ""));
        networks.attach(gone, soon());
        linux.unpin(Set.of(gone.namespace().orElseThrow()));
        networks.detach(gone, soon());
        assertNothingLeft(gone.sandbox());

        Attachment unmounted = pod();
        networks.attach(unmounted, soon());
        linux.unpin(Set.of(unmounted.namespace().orElseThrow()));
        Files.createFile(unmounted.namespace().orElseThrow());
        networks.detach(unmounted, soon());
        assertNothingLeft(unmounted.sandbox());
    }

    @Test
    void aLastPluginThatFailsLeaksNothing() throws Exception {
        ScriptedPlugins scripts =
                new ScriptedPlugins(Files.createDirectory(directory.resolve("scripts")), "fails");
        scripts.failOn("ADD", "fails", 100, "out of luck");
        configure(",{\"type\":\"fails\"}");
        CniPodNetworks networks = open();
        Attachment pod = pod(new HostPort(HOST_PORT, 80, "TCP", ""));

        assertThatThrownBy(() -> networks.attach(pod, soon()))
                .hasMessageContaining("out of luck")
                .hasNoSuppressedExceptions();

        assertThat(scripts.callNames()).containsExactly("ADD fails", "DEL fails");
        assertNothingLeft(pod.sandbox());
    }

    @Test
    void whatACrashInTheMiddleOfAddLeftIsCollected() throws Exception {
        CniPodNetworks dying =
                open((command, deadline) -> {
                    boolean isFirst =
                            command.executable().endsWith("bridge")
                                    && "ADD".equals(command.environment().get("CNI_COMMAND"));
                    if (!isFirst) {
                        throw new IllegalStateException("the daemon was killed");
                    }
                    return commands.run(onHost(command), deadline);
                });
        Attachment pod = pod();
        assertThatThrownBy(() -> dying.attach(pod, soon())).hasMessageContaining("was killed");
        assertThat(takenAddresses()).hasSize(1);

        CniPodNetworks restarted = open();
        assertThat(restarted.attachments())
                .singleElement()
                .satisfies(known -> {
                    assertThat(known.sandbox()).isEqualTo(pod.sandbox());
                    assertThat(known.namespace()).isEqualTo(pod.namespace());
                    assertThat(known.result()).isEmpty();
                });
        assertThat(restarted.collectGarbage(Set.of(), soon()).detached())
                .containsExactly(pod.sandbox());
        assertNothingLeft(pod.sandbox());
    }

    @Test
    void manyAtOnceGetAnAddressEach() throws Exception {
        CniPodNetworks networks = open();
        List<Attachment> pods = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            pods.add(pod());
        }
        Set<InetAddress> addresses = new HashSet<>();
        try (var threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Result>> results = new ArrayList<>();
            pods.forEach(pod -> results.add(threads.submit(() -> networks.attach(pod, soon()))));
            for (Future<Result> result : results) {
                addresses.add(result.get(60, TimeUnit.SECONDS).addresses().getFirst());
            }
            assertThat(addresses).hasSize(10);
            List<Future<?>> ends = new ArrayList<>();
            pods.forEach(pod -> ends.add(threads.submit(() -> networks.detach(pod, soon()))));
            for (Future<?> end : ends) {
                end.get(60, TimeUnit.SECONDS);
            }
        } catch (ExecutionException | TimeoutException e) {
            throw new AssertionError(e);
        }
        assertNothingLeft(pods.getFirst().sandbox());
    }

    @Test
    void pluginsSayWhichVersionsTheySpeak() throws IOException {
        configure("");
        CniPodNetworks networks = open();
        assertThat(networks.readiness().ready()).isTrue();
        NetworkConfiguration network =
                new NetworkDirectory(configuration, "").read().network().orElseThrow();
        PluginRunner runner =
                new PluginRunner(
                        commands,
                        CniSettings.of(configuration, List.of(PLUGINS), directory, "root test"));
        assertThat(new PluginChain(runner, network).versionProblem(soon())).isEmpty();
    }
}
