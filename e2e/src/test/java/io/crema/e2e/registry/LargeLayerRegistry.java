package io.crema.e2e.registry;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.crema.e2e.image.Blob;
import io.crema.e2e.image.OciImage;
import io.crema.e2e.node.NetworkNamespace;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.stream.Collectors;

/**
 * A registry of one image, {@code large/one:1}, with layers of any size that do not compress. It
 * counts the layers' bytes that it sends, each connection at a set rate, with or without ranges. It
 * serves the same as {@code wrong/one:1}, but with one wrong bit in the middle of each layer.
 */
public final class LargeLayerRegistry implements AutoCloseable {
    private record LayerFile(Path file, long bytes, String digest) {}

    /** What is wrong with the layers' answers. */
    public enum Lie {
        NONE,
        /** The length header is larger than the layer. */
        LONGER,
        /** It is smaller. */
        SHORTER,
        /** There is no length, and the layer's bytes follow again and again. */
        ENDLESS
    }

    private static final String LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar";
    private static final String RIGHT = "/v2/large/one/";
    private static final String WRONG = "/v2/wrong/one/";
    private static final int TAR_BLOCK = 512;
    private static final int BUFFER_BYTES = 64 << 10;

    private final List<LayerFile> layers = new ArrayList<>();
    private final byte[] config;
    private final byte[] manifest;
    private final HttpServer server;
    private final AtomicLong sent = new AtomicLong();
    private final AtomicInteger sending = new AtomicInteger();
    private final AtomicInteger mostAtOnce = new AtomicInteger();
    private volatile long bytesPerSecond;
    private volatile boolean ranges = true;
    private volatile boolean withholdsLayer;
    private volatile Lie lie = Lie.NONE;

    /**
     * @param directory for the layer
     */
    public LargeLayerRegistry(NetworkNamespace network, Path directory, long fileBytes)
            throws IOException {
        this(network, directory, fileBytes, 1);
    }

    /**
     * @param directory for the layers, which are all of one size
     */
    public LargeLayerRegistry(
            NetworkNamespace network, Path directory, long fileBytes, int layerCount)
            throws IOException {
        for (int i = 0; i < layerCount; i++) {
            Path file = directory.resolve("layer-" + i + ".tar");
            String digest = write(file, fileBytes, fileBytes + i);
            layers.add(new LayerFile(file, Files.size(file), digest));
        }
        config =
                """
                {"architecture":"%s","os":"linux","config":{"Cmd":["sh"]},\
                "rootfs":{"type":"layers","diff_ids":[%s]}}\
                """
                        .formatted(
                                OciImage.localArchitecture(),
                                joined(layer -> "\"" + layer.digest() + "\""))
                        .getBytes(StandardCharsets.UTF_8);
        manifest =
                """
                {"schemaVersion":2,"mediaType":"%s",\
                "config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"%s",\
                "size":%d},"layers":[%s]}\
                """
                        .formatted(
                                OciImage.MANIFEST,
                                new Blob("", config).digest(),
                                config.length,
                                joined(layer ->
                                        "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%d}"
                                                .formatted(
                                                        LAYER_TYPE, layer.digest(), layer.bytes())))
                        .getBytes(StandardCharsets.UTF_8);
        server =
                network.call(() ->
                        HttpServer.create(
                                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 64));
        server.createContext("/", this::handle);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.start();
    }

    private String joined(Function<LayerFile, String> each) {
        return layers.stream().map(each).collect(Collectors.joining(","));
    }

    /** A tar archive of one file of noise. */
    private static String write(Path file, long fileBytes, long seed) throws IOException {
        MessageDigest digest = sha256();
        try (OutputStream out =
                new DigestOutputStream(
                        new BufferedOutputStream(Files.newOutputStream(file), BUFFER_BYTES),
                        digest)) {
            out.write(header("noise", fileBytes));
            Random random = new Random(seed);
            byte[] block = new byte[BUFFER_BYTES];
            for (long at = 0; at < fileBytes; at += block.length) {
                random.nextBytes(block);
                out.write(block, 0, (int) Math.min(block.length, fileBytes - at));
            }
            long rest = (TAR_BLOCK - fileBytes % TAR_BLOCK) % TAR_BLOCK;
            out.write(new byte[(int) rest + 2 * TAR_BLOCK]);
        }
        return "sha256:" + HexFormat.of().formatHex(digest.digest());
    }

    private static byte[] header(String name, long size) {
        byte[] header = new byte[TAR_BLOCK];
        put(header, 0, name);
        put(header, 100, "0000644\0000000000\0000000000\000");
        put(header, 124, "%011o".formatted(size) + "\0" + "%011o".formatted(1_600_000_000L));
        put(header, 148, "        0");
        put(header, 257, "ustar\00000");
        int sum = 0;
        for (byte value : header) {
            sum += value & 0xff;
        }
        put(header, 148, "%06o\0 ".formatted(sum));
        return header;
    }

    private static void put(byte[] header, int at, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(bytes, 0, header, at, bytes.length);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    public String address() {
        return "127.0.0.1:" + server.getAddress().getPort();
    }

    public String reference() {
        return address() + "/large/one:1";
    }

    /** Of all layers together. */
    public long layerBytes() {
        return layers.stream().mapToLong(LayerFile::bytes).sum();
    }

    /** Of the first layer. */
    public String layerDigest() {
        return layers.getFirst().digest();
    }

    /** Starts counting anew; from now on each connection gets so many bytes per second. */
    public void serve(long rate, boolean withRanges) {
        bytesPerSecond = rate;
        ranges = withRanges;
        sent.set(0);
        mostAtOnce.set(0);
    }

    /** Answers for the layer are wrong from now on. */
    public void tell(Lie newLie) {
        lie = newLie;
    }

    /** Answers 404 for the layer from now on, or no longer. */
    public void withholdLayer(boolean withhold) {
        withholdsLayer = withhold;
    }

    /** Bytes of the layers that went out. */
    public long sentBytes() {
        return sent.get();
    }

    /** How many connections got bytes of layers at once. */
    public int mostAtOnce() {
        return mostAtOnce.get();
    }

    /** Waits until so many bytes of the layers went out. */
    public void awaitSent(long bytes) throws InterruptedException {
        long begin = System.nanoTime();
        while (sent.get() < bytes) {
            if (System.nanoTime() - begin > TimeUnit.MINUTES.toNanos(5)) {
                throw new AssertionError("only " + sent.get() + " bytes were asked for");
            }
            Thread.sleep(1);
        }
    }

    private void handle(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        try (exchange) {
            boolean wrong = path.startsWith(WRONG);
            if (wrong) {
                path = path.replace(WRONG, RIGHT);
            }
            if (path.startsWith("/v2/large/one/manifests/")) {
                exchange.getResponseHeaders().set("Content-Type", OciImage.MANIFEST);
                answer(exchange, manifest);
            } else if (path.equals("/v2/large/one/blobs/" + new Blob("", config).digest())) {
                answer(exchange, config);
            } else {
                Optional<LayerFile> layer = layerAt(path);
                if (layer.isPresent() && !withholdsLayer) {
                    sendLayer(exchange, layer.get(), wrong ? layer.get().bytes() / 2 : -1);
                } else {
                    exchange.sendResponseHeaders(path.equals("/v2/") ? 200 : 404, -1);
                }
            }
        }
    }

    private Optional<LayerFile> layerAt(String path) {
        return layers.stream()
                .filter(layer -> path.equals("/v2/large/one/blobs/" + layer.digest()))
                .findFirst();
    }

    private static void answer(HttpExchange exchange, byte[] body) throws IOException {
        boolean head = exchange.getRequestMethod().equals("HEAD");
        exchange.getResponseHeaders().set("Content-Length", Integer.toString(body.length));
        exchange.sendResponseHeaders(200, head ? -1 : body.length);
        if (!head) {
            exchange.getResponseBody().write(body);
        }
    }

    private void sendLayer(HttpExchange exchange, LayerFile layer, long wrongAt)
            throws IOException {
        long from = 0;
        long layerBytes = layer.bytes();
        long end = layerBytes;
        String asked = exchange.getRequestHeaders().getFirst("Range");
        if (ranges) {
            exchange.getResponseHeaders().set("Accept-Ranges", "bytes");
        }
        int status = 200;
        if (ranges && asked != null) {
            String[] both = asked.substring("bytes=".length()).split("-", -1);
            from = Long.parseLong(both[0]);
            end = both[1].isEmpty() ? layerBytes : Long.parseLong(both[1]) + 1;
            exchange.getResponseHeaders()
                    .set("Content-Range", "bytes %d-%d/%d".formatted(from, end - 1, layerBytes));
            status = 206;
        }
        Lie told = lie;
        switch (told) {
            case NONE -> exchange.sendResponseHeaders(status, end - from);
            case LONGER -> exchange.sendResponseHeaders(status, end - from + 1000);
            case SHORTER -> exchange.sendResponseHeaders(status, end - from - 1000);
            case ENDLESS -> exchange.sendResponseHeaders(status, 0);
        }
        mostAtOnce.accumulateAndGet(sending.incrementAndGet(), Math::max);
        try (FileChannel file = FileChannel.open(layer.file(), StandardOpenOption.READ)) {
            switch (told) {
                case NONE, LONGER -> send(exchange.getResponseBody(), file, from, end, wrongAt);
                case SHORTER -> send(exchange.getResponseBody(), file, from, end - 1000, -1);
                case ENDLESS -> {
                    while (true) {
                        send(exchange.getResponseBody(), file, 0, layerBytes, -1);
                    }
                }
            }
        } finally {
            sending.decrementAndGet();
        }
    }

    private void send(OutputStream out, FileChannel file, long from, long end, long wrongAt)
            throws IOException {
        long begin = System.nanoTime();
        byte[] block = new byte[BUFFER_BYTES];
        long at = from;
        while (at < end) {
            int length = (int) Math.min(block.length, end - at);
            ByteBuffer buffer = ByteBuffer.wrap(block, 0, length);
            while (buffer.hasRemaining() && file.read(buffer, at + buffer.position()) >= 0) {
                // Read on.
            }
            long dueNanos = (long) ((at - from) * 1e9 / bytesPerSecond);
            long early = dueNanos - (System.nanoTime() - begin);
            if (early > 0) {
                pause(early);
            }
            byte[] part = Arrays.copyOf(block, length);
            if (at <= wrongAt && wrongAt < at + length) {
                part[(int) (wrongAt - at)] ^= 1;
            }
            out.write(part);
            out.flush();
            sent.addAndGet(length);
            at += length;
        }
    }

    private static void pause(long nanos) {
        try {
            TimeUnit.NANOSECONDS.sleep(nanos);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
