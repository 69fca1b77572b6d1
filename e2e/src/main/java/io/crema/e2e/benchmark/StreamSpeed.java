package io.crema.e2e.benchmark;

import io.crema.cri.v1.ExecRequest;
import io.crema.cri.v1.PortForwardRequest;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.crema.e2e.streaming.CommandClient;
import io.crema.e2e.streaming.CommandClient.Stream;
import io.crema.e2e.streaming.CommandClient.Transport;
import io.crema.e2e.streaming.ForwardedPort;
import java.io.IOException;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * How soon an exec shows its first byte, and how fast the output of a command and a forwarded port
 * come, with the same client over SPDY for every runtime.
 */
final class StreamSpeed {
    private static final String FIRST_BYTE = "first byte of an exec";
    private static final int MEBIBYTES = 256;
    private static final long BYTES = (long) MEBIBYTES << 20;
    private static final String OUTPUT = "exec output of " + MEBIBYTES + " MiB";
    private static final String FORWARDED = "port-forward of " + MEBIBYTES + " MiB";

    private static final int WARM_UP = 5;
    private static final int COMMANDS = 30;
    private static final int TRANSFERS = 3;
    private static final int PORT = 8080;
    private static final Set<Stream> OUTPUTS = EnumSet.of(Stream.STDOUT, Stream.STDERR);

    private StreamSpeed() {}

    static List<String> rows() {
        return List.of(FIRST_BYTE, OUTPUT, FORWARDED);
    }

    static void measure(TestNode node, Samples samples) throws IOException, InterruptedException {
        TestPod pod = TestPod.run(node);
        String container =
                pod.launch(
                        pod.shell(
                                "server",
                                "mkdir -p /www && head -c %d /dev/zero >/www/zero && exec httpd -f -p %d -h /www"
                                        .formatted(BYTES, PORT)));
        // The file is whole when the server listens.
        pod.exec(
                container,
                "sh",
                "-c",
                "until wget -q -O /dev/null http://127.0.0.1:%d/zero; do sleep 0.1; done"
                        .formatted(PORT));
        Samples warmUp = new Samples();
        for (int i = 0; i < WARM_UP; i++) {
            firstByte(node, container, warmUp);
        }
        for (int i = 0; i < COMMANDS; i++) {
            firstByte(node, container, samples);
        }
        for (int i = 0; i < TRANSFERS; i++) {
            samples.time(OUTPUT, () -> output(node, container));
            samples.time(FORWARDED, () -> forwarded(node, pod.id()));
        }
        pod.stop();
        pod.remove();
    }

    private static void firstByte(TestNode node, String container, Samples samples)
            throws IOException, InterruptedException {
        TimeUnit.MILLISECONDS.sleep(Benchmark.ALONE_MILLIS);
        long begin = System.nanoTime();
        try (CommandClient client = exec(node, container, "echo", "x")) {
            client.await("x");
            samples.add(FIRST_BYTE, (System.nanoTime() - begin) / 1e6);
            client.finish();
        }
    }

    private static Void output(TestNode node, String container) throws IOException {
        String size = Long.toString(BYTES);
        long[] received = {0};
        try (CommandClient client = exec(node, container, "head", "-c", size, "/dev/zero")) {
            while (client.receive(
                    (stream, bytes, offset, count) ->
                            received[0] += stream == Stream.STDOUT ? count : 0)) {
                // Until all is there.
            }
        }
        complete(OUTPUT, received[0]);
        return null;
    }

    private static CommandClient exec(TestNode node, String container, String... command)
            throws IOException {
        String url =
                node.client()
                        .runtime()
                        .exec(
                                ExecRequest.newBuilder()
                                        .setContainerId(container)
                                        .addAllCmd(List.of(command))
                                        .setStdout(true)
                                        .setStderr(true)
                                        .build())
                        .getUrl();
        return Transport.SPDY.open(node.network(), url, OUTPUTS);
    }

    private static Void forwarded(TestNode node, String pod) throws IOException {
        String url =
                node.client()
                        .runtime()
                        .portForward(
                                PortForwardRequest.newBuilder()
                                        .setPodSandboxId(pod)
                                        .addPort(PORT)
                                        .build())
                        .getUrl();
        long received = 0;
        try (ForwardedPort session = ForwardedPort.open(node.network(), url)) {
            ForwardedPort.Connection connection = session.connect(PORT);
            session.send(connection, "GET /zero HTTP/1.0\r\n\r\n");
            boolean isOver = false;
            while (!isOver) {
                var frame = session.next().orElseThrow(() -> new IOException("the session ended"));
                if (frame.stream() == connection.data()) {
                    received += frame.size();
                    isOver = frame.isLast();
                }
            }
        }
        complete(FORWARDED, received);
        return null;
    }

    private static void complete(String what, long received) throws IOException {
        if (received < BYTES) {
            throw new IOException(
                    String.format(Locale.ROOT, "%s: only %d bytes came", what, received));
        }
    }
}
