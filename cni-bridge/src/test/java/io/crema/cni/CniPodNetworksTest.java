package io.crema.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.base.PodSandboxId;
import io.crema.cni.PodNetworks.Attachment;
import io.crema.cni.PodNetworks.Collected;
import io.crema.cni.PodNetworks.Dns;
import io.crema.cni.PodNetworks.HostPort;
import io.crema.cni.PodNetworks.KnownAttachment;
import io.crema.cni.PodNetworks.Readiness;
import io.crema.cni.PodNetworks.Result;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.process.PollLoop;
import io.crema.oci.process.SpawnedCommands;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The whole bridge over scripted plugins, started as real processes. */
class CniPodNetworksTest {
    private static final Path REAL_NAMESPACE = Path.of("/proc/self/ns/net");
    private static final Dns NO_DNS = new Dns(List.of(), List.of(), List.of());

    private static final String THREE =
            """
            {"cniVersion":"%s","name":"podnet","plugins":[
              {"type":"first","mtu":1400,"ipam":{"type":"x"}},
              {"type":"second","capabilities":{"portMappings":true,"bandwidth":true,"dns":true,
                "cgroupPath":true,"io.kubernetes.cri.pod-annotations":true,"unknown":true}},
              {"type":"third","capabilities":{"portMappings":false}}]}
            """;

    @TempDir Path directory;

    private final Linux linux = JnaLinux.load();
    private final PollLoop loop = PollLoop.start(linux);
    private final AtomicReference<Instant> now = new AtomicReference<>(Instant.EPOCH);
    private final List<CniPodNetworks> opened = new ArrayList<>();
    private Path configuration = Path.of("");
    private Path cache = Path.of("");
    private final ScriptedPlugins plugins;

    CniPodNetworksTest(@TempDir Path pluginDirectory) throws IOException {
        plugins = new ScriptedPlugins(pluginDirectory, "first", "second", "third");
    }

    @BeforeEach
    void makeDirectories() throws IOException {
        configuration = Files.createDirectory(directory.resolve("net.d"));
        cache = directory.resolve("cni");
    }

    @AfterEach
    void close() {
        opened.forEach(CniPodNetworks::close);
        loop.close();
    }

    private CniSettings settings() {
        return CniSettings.of(configuration, List.of(plugins.binaries()), cache, "this test")
                .withStatus(Duration.ofHours(1), Duration.ZERO);
    }

    private CniPodNetworks open() {
        return open(settings());
    }

    private CniPodNetworks open(CniSettings settings) {
        CniPodNetworks networks =
                new CniPodNetworks(settings, new SpawnedCommands(linux, loop), now::get);
        opened.add(networks);
        return networks;
    }

    private CniPodNetworks open(String list) throws IOException {
        configure(list);
        return open();
    }

    private void configure(String list) throws IOException {
        Path staged = directory.resolve("staged");
        Files.writeString(staged, list);
        Files.move(
                staged,
                configuration.resolve("10-test.conflist"),
                StandardCopyOption.REPLACE_EXISTING);
    }

    private static Attachment attachment() {
        return attachment(PodSandboxId.random());
    }

    private static Attachment attachment(PodSandboxId sandbox) {
        return new Attachment(
                sandbox,
                "web",
                "shop",
                "uid-1",
                Optional.of(REAL_NAMESPACE),
                List.of(),
                NO_DNS,
                "",
                Map.of());
    }

    private static Deadline soon() {
        return Deadline.after(Duration.ofSeconds(30));
    }

    private Path entry(PodSandboxId sandbox) {
        return cache.resolve("results").resolve("podnet-" + sandbox + "-eth0");
    }

    private List<Path> entries() throws IOException {
        if (!Files.exists(cache.resolve("results"))) {
            return List.of();
        }
        try (var files = Files.list(cache.resolve("results"))) {
            return files.toList();
        }
    }

    /** Orphans are ours to reap, which the poll loop does within some seconds. */
    private static void await(BooleanSupplier condition) {
        Deadline deadline = Deadline.after(Duration.ofSeconds(20));
        while (!condition.getAsBoolean()) {
            deadline.check("the condition of a test");
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5));
        }
    }

    @Test
    void addRunsThePluginsInOrderWithWhatTheSpecificationWants() throws IOException {
        CniPodNetworks networks = open(THREE.formatted("1.0.0"));
        Attachment attachment = attachment();

        Result result = networks.attach(attachment, soon());

        assertThat(result.addresses()).containsExactly(InetAddress.ofLiteral("10.1.0.9"));
        assertThat(result.resultJson()).contains("\"by\":\"third\"");
        assertThat(plugins.callNames()).containsExactly("ADD first", "ADD second", "ADD third");
        ScriptedPlugins.Call first = plugins.calls().getFirst();
        assertThat(first.environment())
                .containsEntry("CNI_COMMAND", "ADD")
                .containsEntry("CNI_CONTAINERID", attachment.sandbox().value())
                .containsEntry("CNI_NETNS", REAL_NAMESPACE.toString())
                .containsEntry("CNI_IFNAME", "eth0")
                .containsEntry("CNI_PATH", plugins.binaries().toString())
                .containsEntry(
                        "CNI_ARGS",
                        "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web;"
                                + "K8S_POD_INFRA_CONTAINER_ID="
                                + attachment.sandbox()
                                + ";K8S_POD_UID=uid-1")
                .containsKey("PATH");
        assertThat(first.input().path("cniVersion").asText()).isEqualTo("1.0.0");
        assertThat(first.input().path("name").asText()).isEqualTo("podnet");
        assertThat(first.input().path("mtu").intValue()).isEqualTo(1400);
        assertThat(first.input().path("ipam").path("type").asText()).isEqualTo("x");
        assertThat(first.input().has("prevResult")).isFalse();
        assertThat(plugins.calls().get(1).input().path("prevResult").path("by").asText())
                .isEqualTo("first");
        assertThat(plugins.calls().get(2).input().path("prevResult").path("by").asText())
                .isEqualTo("second");
    }

    @Test
    void capabilitiesReachThePluginsThatAskForThem() throws IOException {
        CniPodNetworks networks = open(THREE.formatted("1.0.0"));
        networks.attach(
                new Attachment(
                        PodSandboxId.random(),
                        "web",
                        "shop",
                        "uid-1",
                        Optional.of(REAL_NAMESPACE),
                        List.of(
                                new HostPort(8080, 80, "TCP", ""),
                                new HostPort(0, 81, "TCP", ""),
                                new HostPort(5353, 53, "UDP", "127.0.0.1")),
                        new Dns(List.of("10.0.0.53"), List.of("shop.svc"), List.of("ndots:5")),
                        "/kubepods/pod1",
                        Map.of(Bandwidth.INGRESS, "10M")),
                soon());

        assertThat(plugins.calls().getFirst().input().has("runtimeConfig")).isFalse();
        assertThat(plugins.calls().get(2).input().has("runtimeConfig")).isFalse();
        var given = plugins.calls().get(1).input().path("runtimeConfig");
        String expected =
                """
                {"portMappings":[
                   {"hostPort":8080,"containerPort":80,"protocol":"tcp"},
                   {"hostPort":5353,"containerPort":53,"protocol":"udp","hostIP":"127.0.0.1"}],
                 "bandwidth":{"ingressRate":10000000,"ingressBurst":34359738359},
                 "dns":{"servers":["10.0.0.53"],"searches":["shop.svc"],"options":["ndots:5"]},
                 "io.kubernetes.cri.pod-annotations":{"kubernetes.io/ingress-bandwidth":"10M"},
                 "cgroupPath":"/kubepods/pod1"}
                """;
        assertThat(given.toString())
                .isEqualTo(Json.readObject(expected.getBytes(StandardCharsets.UTF_8)).toString());
    }

    @Test
    void nothingIsAddedForAPodThatWantsNothing() throws IOException {
        CniPodNetworks networks = open(THREE.formatted("1.0.0"));
        networks.attach(attachment(), soon());
        for (ScriptedPlugins.Call call : plugins.calls()) {
            assertThat(call.input().has("runtimeConfig")).isFalse();
        }
    }

    @Test
    void aSenselessBandwidthFailsBeforeAnyPlugin() throws IOException {
        CniPodNetworks networks = open(THREE.formatted("1.0.0"));
        Attachment plain = attachment();
        Attachment attachment =
                new Attachment(
                        plain.sandbox(),
                        "web",
                        "shop",
                        "uid-1",
                        plain.namespace(),
                        List.of(),
                        NO_DNS,
                        "",
                        Map.of(Bandwidth.INGRESS, "much"));
        assertThatThrownBy(() -> networks.attach(attachment, soon()))
                .hasMessageContaining("'much'");
        assertThat(plugins.calls()).isEmpty();
        assertThat(entries()).isEmpty();
    }

    @Test
    void theCacheHoldsTheConfigurationBeforeTheFirstPluginRuns() throws IOException {
        CniPodNetworks networks = open(THREE.formatted("1.0.0"));
        Attachment attachment = attachment();
        Path seen = directory.resolve("seen");
        plugins.on("ADD", "first", "cp " + entry(attachment.sandbox()) + " " + seen);

        Result result = networks.attach(attachment, soon());

        ObjectNode before = Json.readObject(Files.readAllBytes(seen));
        assertThat(before.has("result")).isFalse();
        ObjectNode after = Json.readObject(Files.readAllBytes(entry(attachment.sandbox())));
        assertThat(after.path("kind").asText()).isEqualTo("cniCacheV1");
        assertThat(after.path("containerId").asText()).isEqualTo(attachment.sandbox().value());
        assertThat(after.path("ifName").asText()).isEqualTo("eth0");
        assertThat(after.path("networkName").asText()).isEqualTo("podnet");
        assertThat(after.path("netns").asText()).isEqualTo(REAL_NAMESPACE.toString());
        assertThat(after.path("cniArgs").path(1).toString())
                .isEqualTo("[\"K8S_POD_NAMESPACE\",\"shop\"]");
        assertThat(after.path("result").toString()).isEqualTo(result.resultJson());
        byte[] config = Base64.getDecoder().decode(before.path("config").asText());
        assertThat(Json.readObject(config).path("plugins").path(2).path("type").asText())
                .isEqualTo("third");
    }

    @Test
    void delRunsInReverseWithTheFinalResultAndForgets() throws IOException {
        CniPodNetworks networks = open(THREE.formatted("0.4.0"));
        Attachment attachment = attachment();
        networks.attach(attachment, soon());

        networks.detach(attachment, soon());

        assertThat(plugins.callNames().subList(3, 6))
                .containsExactly("DEL third", "DEL second", "DEL first");
        for (ScriptedPlugins.Call call : plugins.calls().subList(3, 6)) {
            assertThat(call.input().path("prevResult").path("by").asText()).isEqualTo("third");
            assertThat(call.environment()).containsEntry("CNI_NETNS", REAL_NAMESPACE.toString());
        }
        assertThat(entries()).isEmpty();
    }

    @Test
    void before040DelHasNoResult() throws IOException {
        CniPodNetworks networks = open(THREE.formatted("0.3.1"));
        Attachment attachment = attachment();
        networks.attach(attachment, soon());
        networks.detach(attachment, soon());
        assertThat(plugins.calls().getLast().input().has("prevResult")).isFalse();
    }

    @Test
    void delUsesTheConfigurationAndArgumentsOfAddWhateverChangedSince() throws IOException {
        Attachment attachment =
                new Attachment(
                        PodSandboxId.random(),
                        "web",
                        "shop",
                        "uid-1",
                        Optional.of(REAL_NAMESPACE),
                        List.of(new HostPort(8080, 80, "TCP", "")),
                        NO_DNS,
                        "",
                        Map.of());
        open(THREE.formatted("1.0.0")).attach(attachment, soon());
        CniPodNetworks later =
                open(
                        "{\"cniVersion\":\"1.0.0\",\"name\":\"other\","
                                + "\"plugins\":[{\"type\":\"missing\"}]}");

        KnownAttachment known = later.attachments().getFirst();
        assertThat(known.sandbox()).isEqualTo(attachment.sandbox());
        assertThat(known.network()).isEqualTo("podnet");
        assertThat(known.podNamespace() + "/" + known.podName()).isEqualTo("shop/web");
        assertThat(known.podUid()).isEqualTo("uid-1");
        assertThat(known.result().orElseThrow().addresses())
                .containsExactly(InetAddress.ofLiteral("10.1.0.9"));
        later.detach(known.toAttachment(), soon());

        assertThat(plugins.callNames().subList(3, 6))
                .containsExactly("DEL third", "DEL second", "DEL first");
        ScriptedPlugins.Call second = plugins.calls().get(4);
        assertThat(second.input().path("runtimeConfig").path("portMappings")).hasSize(1);
        assertThat(second.environment().get("CNI_ARGS")).contains("K8S_POD_NAME=web");
        assertThat(entries()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void delTellsThePluginsThatTheNamespaceIsGone(boolean isFileLeft) throws IOException {
        CniPodNetworks networks = open(THREE.formatted("1.0.0"));
        Attachment attachment = attachment();
        networks.attach(attachment, soon());
        Path pin = directory.resolve("pin");
        if (isFileLeft) {
            // After a reboot the file that carried the mount is still there.
            Files.createFile(pin);
        }
        networks.detach(
                new Attachment(
                        attachment.sandbox(),
                        "web",
                        "shop",
                        "uid-1",
                        Optional.of(pin),
                        List.of(),
                        NO_DNS,
                        "",
                        Map.of()),
                soon());
        assertThat(plugins.calls().getLast().environment()).containsEntry("CNI_NETNS", "");
        assertThat(entries()).isEmpty();
    }

    @Test
    void delWithoutACacheRunsTheCurrentConfiguration() throws IOException {
        CniPodNetworks networks = open(THREE.formatted("1.0.0"));
        networks.detach(attachment(), soon());
        assertThat(plugins.callNames()).containsExactly("DEL third", "DEL second", "DEL first");
        assertThat(plugins.calls().getFirst().input().has("prevResult")).isFalse();
    }

    @Test
    void delWithoutACacheAndWithoutANetworkHasNothingToDo() throws IOException {
        open().detach(attachment(), soon());
        assertThat(plugins.calls()).isEmpty();
    }

    @Test
    void delOfABrokenEntryTakesTheCurrentConfigurationAndRemovesIt() throws IOException {
        CniPodNetworks networks = open(THREE.formatted("1.0.0"));
        Attachment attachment = attachment();
        networks.attach(attachment, soon());
        Files.write(entry(attachment.sandbox()), new byte[0]);
        networks.detach(attachment, soon());
        assertThat(plugins.callNames().subList(3, 6))
                .containsExactly("DEL third", "DEL second", "DEL first");
        assertThat(entries()).isEmpty();
    }

    @Test
    void delHaltsAtAFailureAndCanBeTriedAgain() throws IOException {
        CniPodNetworks networks = open(THREE.formatted("1.0.0"));
        Attachment attachment = attachment();
        networks.attach(attachment, soon());
        plugins.failOn("DEL", "second", 11, "busy");

        assertThatThrownBy(() -> networks.detach(attachment, soon()))
                .isInstanceOfSatisfying(
                        NetworkException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.UNAVAILABLE))
                .hasMessageContaining("busy");
        assertThat(plugins.callNames().subList(3, 5)).containsExactly("DEL third", "DEL second");
        assertThat(entries()).hasSize(1);

        plugins.behaveOn("DEL", "second");
        networks.detach(attachment, soon());
        assertThat(plugins.callNames().subList(5, 8))
                .containsExactly("DEL third", "DEL second", "DEL first");
        assertThat(entries()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"first, 'DEL first'", "third, 'DEL third,DEL second,DEL first'"})
    void aFailedAddIsTakenBackFromThePluginThatFailed(String failing, String expected)
            throws IOException {
        CniPodNetworks networks = open(THREE.formatted("1.0.0"));
        plugins.failOn("ADD", failing, 7, "no such bridge");
        Attachment attachment = attachment();

        Throwable failure = catchThrowable(() -> networks.attach(attachment, soon()));

        assertThat(failure)
                .isInstanceOf(NetworkException.class)
                .hasMessageContaining("plugin " + failing)
                .hasMessageContaining("network podnet")
                .hasMessageContaining("shop/web")
                .hasMessageContaining(attachment.sandbox().value())
                .hasMessageContaining("no such bridge")
                .hasMessageContaining("code 7 (invalid network configuration)")
                .hasNoSuppressedExceptions();
        List<String> deletions = new ArrayList<>(plugins.callNames());
        deletions.removeIf(name -> !name.startsWith("DEL"));
        assertThat(deletions).containsExactly(expected.split(","));
        assertThat(entries()).isEmpty();
        assertThat(networks.attachments()).isEmpty();
    }

    @Test
    void theUndoGoesOnBelowAPluginThatFailsBothAndKeepsTheEntry() throws IOException {
        CniPodNetworks networks = open(THREE.formatted("1.0.0"));
        plugins.failOn("ADD", "third", 100, "broken");
        plugins.failOn("DEL", "third", 100, "still broken");

        Throwable failure = catchThrowable(() -> networks.attach(attachment(), soon()));

        assertThat(failure).hasMessageContaining("broken");
        assertThat(failure.getSuppressed()).hasSize(1);
        assertThat(failure.getSuppressed()[0]).hasMessageContaining("still broken");
        assertThat(plugins.callNames().subList(3, 6))
                .containsExactly("DEL third", "DEL second", "DEL first");
        // The last good result: there is no final one.
        assertThat(plugins.calls().getLast().input().path("prevResult").path("by").asText())
                .isEqualTo("second");
        assertThat(networks.attachments().getFirst().result()).isEmpty();

        plugins.behaveOn("DEL", "third");
        Collected collected = networks.collectGarbage(Set.of(), soon());
        assertThat(collected.detached()).hasSize(1);
        assertThat(collected.failures()).isEmpty();
        assertThat(entries()).isEmpty();
    }

    @Test
    void aHangingPluginIsKilledWithItsChildrenAndUndone() throws IOException {
        CniPodNetworks networks = open(THREE.formatted("1.0.0"));
        Path childPid = directory.resolve("child");
        plugins.on("ADD", "second", "sleep 300 & echo $! > " + childPid + "; wait");

        long start = System.nanoTime();
        Throwable failure =
                catchThrowable(() ->
                        networks.attach(attachment(), Deadline.after(Duration.ofMillis(800))));
        Duration took = Duration.ofNanos(System.nanoTime() - start);

        assertThat(failure)
                .isInstanceOfSatisfying(
                        NetworkException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.DEADLINE_EXCEEDED))
                .hasMessageContaining("plugin second")
                .hasMessageContaining("killed");
        assertThat(took).isBetween(Duration.ofMillis(700), Duration.ofSeconds(5));
        assertThat(plugins.callNames())
                .containsExactly("ADD first", "ADD second", "DEL second", "DEL first");
        long pid = Long.parseLong(Files.readString(childPid).strip());
        await(() -> ProcessHandle.of(pid).filter(ProcessHandle::isAlive).isEmpty());
        assertThat(entries()).isEmpty();
    }

    @Test
    void theTimeLimitHoldsWithoutADeadline() throws IOException {
        configure(THREE.formatted("1.0.0"));
        CniSettings.TimeLimits limits =
                new CniSettings.TimeLimits(
                        Duration.ofMillis(300),
                        Duration.ofMillis(300),
                        Duration.ofMillis(300),
                        Duration.ofMillis(300),
                        Duration.ofMillis(300),
                        Duration.ofMillis(300));
        CniPodNetworks networks = open(settings().withTimeLimits(limits));
        plugins.on("ADD", "first", "exec sleep 300");
        plugins.on("DEL", "first", "exec sleep 300");
        Throwable failure = catchThrowable(() -> networks.attach(attachment(), Deadline.none()));
        assertThat(failure).hasMessageContaining("CNI ADD by plugin first");
        assertThat(failure.getSuppressed()[0]).hasMessageContaining("CNI DEL by plugin first");
        assertThatThrownBy(() -> networks.detach(attachment(), Deadline.none()))
                .hasMessageContaining("CNI DEL by plugin first");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '^',
            value = {
                "echo oops; exit 0 ^ its result cannot be read: not JSON",
                "exit 0 ^ its result cannot be read: empty",
                "echo panic >&2; exit 2 ^ exit code 2 without a CNI error; stderr: panic",
                "echo hm; echo a >&2; echo b >&2; exit 3 ^ exit code 3 without a CNI error;"
                        + " stdout: hm; stderr: a | b",
                "kill -9 $$ ^ killed by signal 9 without a CNI error",
                "echo '{\"code\":100,\"msg\":\"no\",\"details\":\"why\"}'; exit 1"
                        + " ^ no (why); CNI error code 100",
            },
            quoteCharacter = '`')
    void whateverAPluginDoesIsReported(String lines, String words) throws IOException {
        CniPodNetworks networks = open(THREE.formatted("1.0.0"));
        plugins.on("ADD", "first", lines);
        assertThatThrownBy(() -> networks.attach(attachment(), soon()))
                .isInstanceOf(NetworkException.class)
                .hasMessageContaining(words);
        assertThat(plugins.callNames()).containsExactly("ADD first", "DEL first");
    }

    @Test
    void aMissingPluginIsNamedWithTheDirectories() throws IOException {
        CniPodNetworks networks = open(THREE.formatted("1.0.0"));
        Files.delete(plugins.binaries().resolve("second"));
        assertThatThrownBy(() -> networks.attach(attachment(), soon()))
                .hasMessageContaining("plugin second")
                .hasMessageContaining(plugins.binaries().toString());
    }

    @Test
    void aPodWithoutAddressIsRefusedAndTakenBack() throws IOException {
        CniPodNetworks networks = open(THREE.formatted("1.0.0"));
        plugins.on("ADD", "third", "echo '{\"cniVersion\":\"1.0.0\",\"ips\":[]}'; exit 0");
        assertThatThrownBy(() -> networks.attach(attachment(), soon()))
                .hasMessageContaining("no address");
        assertThat(plugins.callNames()).endsWith("DEL third", "DEL second", "DEL first");
        assertThat(entries()).isEmpty();
    }

    @Test
    void whatIsAttachedCannotBeAttachedAgain() throws IOException {
        CniPodNetworks networks = open(THREE.formatted("1.0.0"));
        Attachment attachment = attachment();
        networks.attach(attachment, soon());
        assertThatThrownBy(() -> networks.attach(attachment, soon()))
                .isInstanceOf(CremaException.class)
                .hasMessageContaining("already");
        assertThat(entries()).hasSize(1);
        assertThat(plugins.callNames()).hasSize(3);
    }

    @Test
    void checkUsesTheCachedResult() throws IOException {
        CniPodNetworks networks = open(THREE.formatted("1.0.0"));
        Attachment attachment = attachment();
        assertThatThrownBy(() -> networks.check(attachment, soon()))
                .hasMessageContaining("attached to no network");
        networks.attach(attachment, soon());
        networks.check(attachment, soon());
        assertThat(plugins.callNames().subList(3, 6))
                .containsExactly("CHECK first", "CHECK second", "CHECK third");
        assertThat(plugins.calls().get(3).input().path("prevResult").path("by").asText())
                .isEqualTo("third");
        plugins.failOn("CHECK", "second", 100, "link is gone");
        assertThatThrownBy(() -> networks.check(attachment, soon()))
                .hasMessageContaining("link is gone");
    }

    @Test
    void checkIsLeftOutWhereTheConfigurationSaysSo() throws IOException {
        CniPodNetworks networks =
                open(
                        "{\"cniVersion\":\"1.0.0\",\"name\":\"podnet\",\"disableCheck\":true,"
                                + "\"plugins\":[{\"type\":\"first\"}]}");
        Attachment attachment = attachment();
        networks.attach(attachment, soon());
        networks.check(attachment, soon());
        assertThat(plugins.callNames()).containsExactly("ADD first");
    }

    @Test
    void garbageIsWhatNobodyKnows() throws IOException {
        CniPodNetworks before = open(THREE.formatted("1.1.0"));
        Attachment known = attachment();
        Attachment unknown = attachment();
        before.attach(known, soon());
        before.attach(unknown, soon());
        await(() -> before.readiness().ready());
        before.close();
        CniPodNetworks networks = open();
        await(() -> networks.readiness().ready());
        Attachment fresh = attachment();
        networks.attach(fresh, soon());
        int calls = plugins.calls().size();

        Collected collected = networks.collectGarbage(Set.of(known.sandbox()), soon());

        assertThat(collected.detached()).containsExactly(unknown.sandbox());
        assertThat(collected.failures()).isEmpty();
        List<ScriptedPlugins.Call> asked = plugins.calls().subList(calls, plugins.calls().size());
        assertThat(asked.stream().map(ScriptedPlugins.Call::name))
                .containsExactly(
                        "DEL third",
                        "DEL second",
                        "DEL first",
                        "GC first",
                        "GC second",
                        "GC third");
        List<String> valid = new ArrayList<>();
        asked.getLast()
                .input()
                .path("cni.dev/valid-attachments")
                .forEach(a -> valid.add(a.path("containerID").asText()));
        assertThat(valid)
                .containsExactlyInAnyOrder(known.sandbox().value(), fresh.sandbox().value());
        assertThat(asked.getLast().input().path("cni.dev/valid-attachments").path(0).path("ifname"))
                .hasToString("\"eth0\"");
        assertThat(entries()).hasSize(2);
    }

    @Test
    void anotherRuntimesAttachmentsInTheSameCacheAreNotGarbage() throws IOException {
        configure(THREE.formatted("1.1.0"));
        CniPodNetworks other =
                open(
                        new CniSettings(
                                configuration,
                                "",
                                List.of(plugins.binaries()),
                                cache,
                                "other runtime",
                                Map.of(),
                                Duration.ZERO,
                                Duration.ofHours(1),
                                CniSettings.TimeLimits.defaults()));
        await(() -> other.readiness().ready());
        Attachment theirs = attachment();
        other.attach(theirs, soon());
        CniPodNetworks networks = open();
        await(() -> networks.readiness().ready());
        assertThat(networks.attachments()).isEmpty();
        assertThat(networks.collectGarbage(Set.of(), soon()).detached()).isEmpty();
        ScriptedPlugins.Call gc = plugins.calls().getLast();
        assertThat(plugins.callNames()).contains("GC third").doesNotContain("DEL third");
        assertThat(gc.input().path("cni.dev/valid-attachments").toString())
                .contains(theirs.sandbox().value());
    }

    @Test
    void thereIsNoGcBefore11OrWhereItIsDisabled() throws IOException {
        open(THREE.formatted("1.0.0")).collectGarbage(Set.of(), soon());
        open("{\"cniVersion\":\"1.1.0\",\"name\":\"podnet\",\"disableGC\":true,"
                        + "\"plugins\":[{\"type\":\"first\"}]}")
                .collectGarbage(Set.of(), soon());
        assertThat(plugins.callNames()).noneMatch(name -> name.startsWith("GC"));
    }

    @Test
    void noNetworkIsNotReadyAndAPodIsRefusedInWords() throws IOException {
        Files.writeString(configuration.resolve("05-bad.conflist"), "{");
        CniPodNetworks networks = open();
        Readiness readiness = networks.readiness();
        assertThat(readiness.ready()).isFalse();
        assertThat(readiness.reason()).isEqualTo("NetworkPluginNotReady");
        assertThat(readiness.message())
                .contains(configuration.toString())
                .contains("05-bad.conflist: not JSON");
        assertThatThrownBy(() -> networks.attach(attachment(), soon()))
                .isInstanceOfSatisfying(
                        NetworkException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.UNAVAILABLE))
                .hasMessageContaining("shop/web")
                .hasMessageContaining("05-bad.conflist");
        assertThat(networks.describe().get("lastCNILoadStatus")).contains("05-bad.conflist");
    }

    @Test
    void aNewConfigurationIsSeenByItself() throws IOException {
        CniPodNetworks networks = open();
        assertThat(networks.readiness().ready()).isFalse();
        configure(THREE.formatted("1.0.0"));
        await(() -> networks.readiness().ready());
        assertThat(networks.describe().get("cniconfig"))
                .contains("\"network\":\"podnet\"")
                .contains("10-test.conflist");
        assertThat(networks.describe().get("lastCNILoadStatus")).isEqualTo("OK");
        Files.writeString(configuration.resolve("05-bad.conflist"), "{");
        await(() -> networks.readiness().message().contains("05-bad.conflist"));
        assertThat(networks.readiness().ready()).isTrue();
        Files.delete(configuration.resolve("10-test.conflist"));
        await(() -> !networks.readiness().ready());
    }

    @Test
    void aDirectoryThatAppearsLaterIsSeen() throws IOException {
        Files.delete(configuration);
        CniPodNetworks networks = open();
        assertThat(networks.readiness().message()).contains("does not exist");
        Files.createDirectory(configuration);
        configure(THREE.formatted("1.0.0"));
        await(() -> networks.readiness().ready());
        Files.delete(configuration.resolve("10-test.conflist"));
        Files.delete(configuration);
        await(() -> !networks.readiness().ready());
        Files.createDirectory(configuration);
        configure(THREE.formatted("1.0.0"));
        await(() -> networks.readiness().ready());
    }

    @Test
    void aPodIsAttachedByAConfigurationWrittenAMomentAgo() throws IOException {
        CniPodNetworks networks = open();
        configure(THREE.formatted("1.0.0"));
        assertThat(networks.attach(attachment(), soon()).addresses()).hasSize(1);
    }

    @Test
    void aMissingPluginIsNotReadyUntilItIsInstalled() throws IOException {
        Files.delete(plugins.binaries().resolve("second"));
        configure(THREE.formatted("1.0.0"));
        CniPodNetworks networks = open(settings().withStatus(Duration.ofMillis(20), Duration.ZERO));
        assertThat(networks.readiness().message())
                .contains("plugin second")
                .contains("is not installed");
        plugins.install("second");
        await(() -> networks.readiness().ready());
    }

    @Test
    void aPluginThatIsTooOldIsNotReady() throws IOException {
        plugins.on(
                "VERSION",
                "second",
                "echo '{\"cniVersion\":\"0.4.0\",\"supportedVersions\":[\"0.4.0\"]}'; exit 0");
        configure(THREE.formatted("1.0.0"));
        CniPodNetworks networks = open(settings().withStatus(Duration.ofMillis(20), Duration.ZERO));
        await(() -> !networks.readiness().ready());
        assertThat(networks.readiness().message())
                .contains("plugin second speaks CNI 0.4.0")
                .contains("asks for 1.0.0");
    }

    @Test
    void statusDecidesFrom11OnWithAGracePeriod() throws IOException {
        configure(THREE.formatted("1.1.0"));
        plugins.failOn("STATUS", "second", 50, "controller is not up");
        CniPodNetworks networks =
                open(settings().withStatus(Duration.ofMillis(20), Duration.ofMinutes(1)));
        // It was never good, so there is no grace.
        await(() -> networks.readiness().message().contains("controller is not up"));
        assertThat(networks.readiness().ready()).isFalse();
        plugins.behaveOn("STATUS", "second");
        await(() -> networks.readiness().ready());
        plugins.failOn("STATUS", "second", 50, "controller is away");
        int calls = plugins.calls().size();
        await(() -> statusCalls() > calls + 6);
        assertThat(networks.readiness().ready()).isTrue();
        now.set(Instant.EPOCH.plus(Duration.ofMinutes(2)));
        await(() -> !networks.readiness().ready());
        assertThat(networks.readiness().message()).contains("controller is away");
    }

    private int statusCalls() {
        try {
            return plugins.calls().size();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void aHangingStatusHoldsUpNobody() throws IOException {
        configure(THREE.formatted("1.1.0"));
        plugins.on("STATUS", "first", "exec sleep 300");
        CniPodNetworks networks = open();
        assertThat(networks.readiness().ready()).isFalse();
        assertThat(networks.readiness().message()).contains("being asked");
        networks.attach(attachment(), soon());
        configure("{");
        await(() -> networks.readiness().message().contains("no valid CNI configuration"));
    }

    @Test
    void pluginsDoNotSpeakToTheServiceManagerInOurName() {
        Map<String, String> environment = new HashMap<>();
        environment.put("NOTIFY_SOCKET", "/run/systemd/notify");
        environment.put("CNI_ARGS", "Evil=1");
        environment.put("HTTPS_PROXY", "http://proxy");
        CniSettings settings =
                new CniSettings(
                        configuration,
                        "",
                        List.of(),
                        cache,
                        "",
                        environment,
                        Duration.ZERO,
                        Duration.ofSeconds(1),
                        CniSettings.TimeLimits.defaults());
        assertThat(settings.environment())
                .containsEntry("HTTPS_PROXY", "http://proxy")
                .containsKey("PATH")
                .doesNotContainKeys("NOTIFY_SOCKET", "CNI_ARGS");
    }

    @Test
    void theConfigurationFileDecides() {
        CniSettings settings =
                CniSettings.of(
                        new io.crema.conf.NetworkConfiguration(
                                Optional.of("podnet"),
                                configuration,
                                List.of(plugins.binaries()),
                                Duration.ofSeconds(7),
                                Duration.ofSeconds(15),
                                cache),
                        "/var/lib/crema");
        assertThat(settings.defaultNetwork()).isEqualTo("podnet");
        assertThat(settings.networkDirectory()).isEqualTo(configuration);
        assertThat(settings.pluginDirectories()).containsExactly(plugins.binaries());
        assertThat(settings.cacheDirectory()).isEqualTo(cache);
        assertThat(settings.owner()).isEqualTo("/var/lib/crema");
        assertThat(settings.statusGracePeriod()).isEqualTo(Duration.ofSeconds(7));
        assertThat(settings.timeLimits().add()).isEqualTo(Duration.ofSeconds(15));
        assertThat(settings.timeLimits().undo()).isEqualTo(Duration.ofSeconds(15));
        assertThat(settings.timeLimits().status()).isEqualTo(Duration.ofSeconds(10));
    }

    @Test
    void aPodNameCannotSmuggleArguments() throws IOException {
        CniPodNetworks networks = open(THREE.formatted("1.0.0"));
        Attachment attachment =
                new Attachment(
                        PodSandboxId.random(),
                        "web;K8S_POD_NAMESPACE=kube-system",
                        "shop",
                        "uid-1",
                        Optional.of(REAL_NAMESPACE),
                        List.of(),
                        NO_DNS,
                        "",
                        Map.of());
        assertThatThrownBy(() -> networks.attach(attachment, soon()))
                .isInstanceOfSatisfying(
                        NetworkException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.INVALID_ARGUMENT));
        assertThat(plugins.calls()).isEmpty();
    }
}
