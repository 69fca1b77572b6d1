package io.crema.server.streaming;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** A client of the streaming server up to the answer to its upgrade; bytes as they come. */
final class StreamingPeer implements AutoCloseable {
    private static final int PATIENCE_MILLIS = 20_000;

    final Socket socket;
    final DataInputStream in;
    final int status;
    private final Map<String, String> headers = new TreeMap<>();

    private StreamingPeer(Socket socket, String request) throws IOException {
        this.socket = socket;
        socket.setSoTimeout(PATIENCE_MILLIS);
        socket.setTcpNoDelay(true);
        in = new DataInputStream(new BufferedInputStream(socket.getInputStream()));
        send(request.getBytes(StandardCharsets.ISO_8859_1));
        String first = line();
        status = first.isEmpty() ? 0 : Integer.parseInt(first.split(" ", 3)[1]);
        for (String line = line(); !line.isEmpty(); line = line()) {
            int colon = line.indexOf(':');
            headers.merge(
                    line.substring(0, colon).toLowerCase(Locale.ROOT),
                    line.substring(colon + 1).strip(),
                    (one, two) -> one + "," + two);
        }
    }

    static StreamingPeer spdy(String url, String protocols) throws IOException {
        return request(
                url,
                "Upgrade: SPDY/3.1\r\nConnection: Upgrade\r\nX-Stream-Protocol-Version: "
                        + protocols
                        + "\r\n");
    }

    static StreamingPeer webSocket(String url, String protocols) throws IOException {
        return request(
                url,
                "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version:"
                        + " 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                        + (protocols.isEmpty()
                                ? ""
                                : "Sec-WebSocket-Protocol: " + protocols + "\r\n"));
    }

    static StreamingPeer request(String url, String headers) throws IOException {
        URI uri = URI.create(url);
        return over(new Socket(InetAddress.getByName(uri.getHost()), uri.getPort()), url, headers);
    }

    static StreamingPeer over(Socket socket, String url, String headers) throws IOException {
        URI uri = URI.create(url);
        return new StreamingPeer(
                socket,
                "POST "
                        + uri.getRawPath()
                        + " HTTP/1.1\r\nHost: "
                        + uri.getAuthority()
                        + "\r\nContent-Length: 0\r\n"
                        + headers
                        + "\r\n");
    }

    @Nullable String header(String name) {
        return headers.get(name);
    }

    void send(byte[] bytes) throws IOException {
        socket.getOutputStream().write(bytes);
        socket.getOutputStream().flush();
    }

    private String line() throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int next = in.read(); next >= 0 && next != '\n'; next = in.read()) {
            if (next != '\r') {
                line.write(next);
            }
        }
        return line.toString(StandardCharsets.ISO_8859_1);
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
