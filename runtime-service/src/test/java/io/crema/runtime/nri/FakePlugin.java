package io.crema.runtime.nri;

import com.google.protobuf.ByteString;
import com.google.protobuf.MessageLite;
import io.crema.nri.ttrpc.Request;
import io.crema.nri.ttrpc.Response;
import io.crema.nri.ttrpc.Status;
import io.crema.nri.v1alpha1.Empty;
import io.crema.nri.v1alpha1.RegisterPluginRequest;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/** A plugin in this process: it writes down what it is called and answers as it is told. */
final class FakePlugin implements AutoCloseable {
    private static final int PLUGIN_SERVICE = 1;
    private static final int RUNTIME_SERVICE = 2;

    /** Answers a call; the bytes are those of its request. */
    interface Answer {
        MessageLite to(byte[] request) throws Exception;
    }

    private record Refusal(int code, String words) {}

    private final SocketChannel channel;
    private final DataInputStream in;
    private final DataOutputStream out;
    private final Map<String, Answer> answers = new ConcurrentHashMap<>();
    private final Map<String, Refusal> refusals = new ConcurrentHashMap<>();
    private final Map<String, CompletableFuture<byte[]>> calls = new ConcurrentHashMap<>();
    private final Map<Integer, CompletableFuture<Response>> ours = new ConcurrentHashMap<>();
    private final List<String> called = new ArrayList<>();
    private final CompletableFuture<Void> end = new CompletableFuture<>();
    private final RegisterPluginRequest registration;
    private int stream = 1;

    private FakePlugin(Path socket, RegisterPluginRequest registration) throws IOException {
        this.channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
        this.in = new DataInputStream(Channels.newInputStream(channel));
        this.out = new DataOutputStream(Channels.newOutputStream(channel));
        this.registration = registration;
    }

    static FakePlugin connect(Path socket, String index, String name) throws IOException {
        return new FakePlugin(
                socket,
                RegisterPluginRequest.newBuilder().setPluginIdx(index).setPluginName(name).build());
    }

    /** One that connects and says nothing. */
    static FakePlugin silent(Path socket) throws IOException {
        FakePlugin plugin = new FakePlugin(socket, RegisterPluginRequest.getDefaultInstance());
        plugin.listen();
        return plugin;
    }

    static <T> Future<T> later(Callable<T> work) {
        return Executors.newVirtualThreadPerTaskExecutor().submit(work);
    }

    void on(String method, Answer answer) {
        answers.put(method, answer);
    }

    void refuse(String method, int code, String words) {
        refusals.put(method, new Refusal(code, words));
    }

    /** Begins to listen, and registers. */
    void serve() throws Exception {
        listen();
        call("RegisterPlugin", registration);
    }

    private void listen() {
        Thread.ofVirtual()
                .start(() -> {
                    try {
                        while (true) {
                            receive();
                        }
                    } catch (IOException e) {
                        end.complete(null);
                    }
                });
    }

    private void receive() throws IOException {
        int connection = in.readInt();
        byte[] piece = new byte[in.readInt()];
        in.readFully(piece);
        java.nio.ByteBuffer frame = java.nio.ByteBuffer.wrap(piece);
        int length = frame.getInt();
        int number = frame.getInt();
        frame.position(10);
        byte[] payload = new byte[length];
        int present = frame.remaining();
        frame.get(payload, 0, present);
        if (present < length) { // the rest is the next piece
            in.readInt();
            in.readInt();
            in.readFully(payload, present, length - present);
        }
        if (connection == RUNTIME_SERVICE) {
            Objects.requireNonNull(ours.get(number)).complete(Response.parseFrom(payload));
            return;
        }
        Request request = Request.parseFrom(payload);
        synchronized (called) {
            called.add(request.getMethod());
        }
        Thread.ofVirtual().start(() -> answer(number, request));
    }

    private void answer(int number, Request request) {
        String method = request.getMethod();
        byte[] bytes = request.getPayload().toByteArray();
        calls.computeIfAbsent(method, name -> new CompletableFuture<>()).complete(bytes);
        Response.Builder response = Response.newBuilder();
        Refusal refusal = refusals.get(method);
        try {
            if (refusal == null) {
                Answer answer = answers.getOrDefault(method, any -> Empty.getDefaultInstance());
                response.setPayload(answer.to(bytes).toByteString());
            } else {
                response.setStatus(
                        Status.newBuilder().setCode(refusal.code()).setMessage(refusal.words()));
            }
            send(PLUGIN_SERVICE, number, 2, response.build());
        } catch (Exception e) {
            end.complete(null);
        }
    }

    private void send(int connection, int number, int type, MessageLite message)
            throws IOException {
        byte[] payload = message.toByteArray();
        synchronized (out) {
            out.writeInt(connection);
            out.writeInt(10 + payload.length);
            out.writeInt(payload.length);
            out.writeInt(number);
            out.writeByte(type);
            out.writeByte(0);
            out.write(payload);
            out.flush();
        }
    }

    /** Calls the runtime. */
    ByteString call(String method, MessageLite request) throws Exception {
        CompletableFuture<Response> answer = new CompletableFuture<>();
        int number = stream;
        stream += 2;
        ours.put(number, answer);
        send(
                RUNTIME_SERVICE,
                number,
                1,
                Request.newBuilder()
                        .setService("nri.pkg.api.v1alpha1.Runtime")
                        .setMethod(method)
                        .setPayload(request.toByteString())
                        .build());
        return answer.get(10, TimeUnit.SECONDS).getPayload();
    }

    /** The request of the first call of a method, waited for. */
    byte[] awaitCall(String method) throws Exception {
        return calls.computeIfAbsent(method, name -> new CompletableFuture<>())
                .get(10, TimeUnit.SECONDS);
    }

    /** The methods that were called, in order. */
    List<String> called() {
        synchronized (called) {
            return List.copyOf(called);
        }
    }

    /** Whether the runtime hangs up. */
    boolean awaitEnd() throws Exception {
        end.get(10, TimeUnit.SECONDS);
        return true;
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
