package io.crema.server.streaming;

import io.crema.cri.v1.AttachRequest;
import io.crema.cri.v1.ExecRequest;
import io.crema.cri.v1.PortForwardRequest;
import io.crema.server.tls.TlsSettings;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;

/** A streaming server on loopback above a fake node. */
final class TestServer implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    final FakeStreaming node = new FakeStreaming();
    final StreamingServer server;

    TestServer() {
        this(Duration.ofMinutes(1), Duration.ofSeconds(30), Optional.empty());
    }

    TestServer(Duration idle, Duration creation, Optional<TlsSettings> tls) {
        server =
                new StreamingServer(
                        new StreamingSettings("127.0.0.1", 0, tls, idle, creation), node);
    }

    /** All streams, no terminal. */
    String exec(String... command) {
        return exec(false, command);
    }

    String exec(boolean tty, String... command) {
        return new Exec(server)
                .run(
                        ExecRequest.newBuilder()
                                .setContainerId("c")
                                .addAllCmd(List.of(command))
                                .setStdin(true)
                                .setStdout(true)
                                .setStderr(!tty)
                                .setTty(tty)
                                .build())
                .getUrl();
    }

    String attach() {
        return new Attach(server)
                .run(
                        AttachRequest.newBuilder()
                                .setContainerId("c")
                                .setStdin(true)
                                .setStdout(true)
                                .build())
                .getUrl();
    }

    String portForward() {
        return new PortForward(server)
                .run(PortForwardRequest.newBuilder().setPodSandboxId("p").build())
                .getUrl();
    }

    /** Waits for what another thread brings about; false when it does not in time. */
    static boolean eventually(BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + PATIENCE.toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > end) {
                return false;
            }
            Thread.sleep(5);
        }
        return true;
    }

    @Override
    public void close() {
        server.close();
    }
}
