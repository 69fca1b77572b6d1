package io.crema.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import io.crema.server.grpc.CriServer;
import io.crema.server.http.HttpAnswer;
import io.crema.server.http.HttpRoutes;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the commands print and how they end, without a daemon. */
final class MainTest {
    @TempDir private Path directory;

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @Test
    void theFirstLineOfVersionIsForScripts() {
        assertThat(crema("--version")).isZero();
        assertThat(text(out).lines().findFirst()).hasValue("crema version 0.1.0");
        out.reset();
        assertThat(crema("version", "--json")).isZero();
        assertThat(text(out)).contains("\"version\":\"0.1.0\"");
    }

    @Test
    void helpNamesCommandsAndFlags() {
        assertThat(crema("--help")).isZero();
        assertThat(text(out))
                .contains("crema load [flags] ARCHIVE")
                .contains("--config-dir", "--registries-conf", "--listen", "--root, ", "--runroot")
                .contains("CONTAINER_CONFIG");
    }

    @Test
    void wrongUsageIsTwoAndNamesTheNearest() {
        assertThat(crema("serv")).isEqualTo(2);
        assertThat(crema("--lisen", "/x")).isEqualTo(2);
        assertThat(crema("status", "everything")).isEqualTo(2);
        assertThat(crema("load")).isEqualTo(2);
        assertThat(text(err)).contains("'serv'", "--lisen; did you mean --listen?");
    }

    @Test
    void aWrongFileIsOneAndNamesTheLine() throws IOException {
        Path file = Files.writeString(directory.resolve("c.conf"), "[crio]\nroot = 3\n");

        assertThat(crema("config", "--config", file.toString(), "--config-dir", "")).isEqualTo(1);
        assertThat(text(err)).contains("c.conf:2", "root");
        assertThat(text(out)).isEmpty();
    }

    @Test
    void warningsGoToStandardErrorOnly() throws IOException {
        Path file = Files.writeString(directory.resolve("c.conf"), "[crio]\nrot = \"/x\"\n");

        assertThat(crema("config", "--config", file.toString(), "--config-dir", "")).isZero();
        assertThat(text(err)).contains("warning", "rot");
        assertThat(text(out)).contains("[crio.runtime]").doesNotContain("warning");
    }

    @Test
    void statusOfNobodySaysWhere() {
        assertThat(crema("status", "--config", "", "--config-dir", "", "--listen", socket()))
                .isEqualTo(1);
        assertThat(text(err)).contains("no crema daemon answers on " + socket());
    }

    @Test
    void aHangingDaemonIsNotWaitedForForever() {
        HttpRoutes routes =
                new HttpRoutes()
                        .add(
                                "GET",
                                "/status",
                                question -> {
                                    Thread.sleep(60_000);
                                    return HttpAnswer.text(200, "late");
                                });
        try (var server = serve(routes)) {
            assertThat(server).isNotNull();
            assertThat(
                            catchThrowable(() ->
                                    new SocketClient(Path.of(socket()))
                                            .ask("GET", "/status", Duration.ofMillis(100))))
                    .hasMessageContaining("does not answer /status within");
        }
    }

    @Test
    void statusIsToldInWords() {
        String json =
                """
                {"version":"0.1.0","pid":7,"up_seconds":3700,"socket":"unix:///s","root":"/r",
                 "conditions":[{"type":"RuntimeReady","status":true},
                   {"type":"NetworkReady","status":false,"reason":"Why","message":"because"}],
                 "pods":{"ready":2},"containers":{"exited":1,"running":3},"images":4}
                """;
        HttpRoutes routes =
                new HttpRoutes()
                        .add(
                                "GET",
                                "/status",
                                question -> HttpAnswer.json(json.getBytes(StandardCharsets.UTF_8)));
        try (var server = serve(routes)) {
            assertThat(server).isNotNull();
            assertThat(crema("status", "--config", "", "--config-dir", "", "--listen", socket()))
                    .isZero();
        }
        assertThat(text(out))
                .isEqualTo(
                        """
                        crema       0.1.0, pid 7, up 1h1m
                        socket      unix:///s
                        root        /r
                        runtime     ready
                        network     NOT READY: Why: because
                        pods        2 ready
                        containers  1 exited, 3 running
                        images      4
                        """);
    }

    private CriServer serve(HttpRoutes routes) {
        var server =
                new CriServer(
                        Path.of(socket()),
                        1 << 24,
                        1 << 24,
                        List.of(),
                        routes,
                        (method, code, duration) -> {});
        server.start();
        return server;
    }

    private String socket() {
        return directory.resolve("s").toString();
    }

    private int crema(String... arguments) {
        return new Main(stream(out), stream(err)).run(List.of(arguments));
    }

    private static PrintStream stream(ByteArrayOutputStream bytes) {
        return new PrintStream(bytes, true, StandardCharsets.UTF_8);
    }

    private static String text(ByteArrayOutputStream bytes) {
        return bytes.toString(StandardCharsets.UTF_8);
    }
}
