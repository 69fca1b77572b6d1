package io.crema.e2e.streaming;

import io.crema.e2e.node.NetworkNamespace;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

/** A connection that the server switched to another protocol. */
final class UpgradedConnection implements AutoCloseable {
    private static final int BUFFER_BYTES = 128 * 1024;
    private static final int PATIENCE_MILLIS = 60_000;

    private final Socket socket;
    private final DataInputStream in;
    private final DataOutputStream out;
    private final Map<String, String> headers = new TreeMap<>();

    private UpgradedConnection(Socket socket) throws IOException {
        this.socket = socket;
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(PATIENCE_MILLIS);
        in = new DataInputStream(new BufferedInputStream(socket.getInputStream(), BUFFER_BYTES));
        out =
                new DataOutputStream(
                        new BufferedOutputStream(socket.getOutputStream(), BUFFER_BYTES));
    }

    /**
     * Connects from within a network namespace.
     *
     * @param fields request headers, each with its line end
     * @throws IOException when the server does not answer 101; the message says what
     */
    static UpgradedConnection open(NetworkNamespace network, String url, String fields)
            throws IOException {
        URI uri = URI.create(url);
        Socket socket =
                network.call(() -> new Socket(InetAddress.getByName(uri.getHost()), uri.getPort()));
        UpgradedConnection connection = new UpgradedConnection(socket);
        try {
            connection.request(uri, fields);
            return connection;
        } catch (IOException e) {
            socket.close();
            throw e;
        }
    }

    private void request(URI uri, String fields) throws IOException {
        String request =
                "POST "
                        + uri.getRawPath()
                        + " HTTP/1.1\r\nHost: "
                        + uri.getAuthority()
                        + "\r\nContent-Length: 0\r\n"
                        + fields
                        + "\r\n";
        out.write(request.getBytes(StandardCharsets.ISO_8859_1));
        out.flush();
        String first = line();
        for (String line = line(); !line.isEmpty(); line = line()) {
            int colon = line.indexOf(':');
            headers.put(
                    line.substring(0, colon).toLowerCase(Locale.ROOT),
                    line.substring(colon + 1).strip());
        }
        if (!first.startsWith("HTTP/1.1 101 ")) {
            throw new IOException("no upgrade: " + first + " " + headers);
        }
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

    String header(String name) {
        return headers.getOrDefault(name, "");
    }

    DataInputStream in() {
        return in;
    }

    DataOutputStream out() {
        return out;
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
