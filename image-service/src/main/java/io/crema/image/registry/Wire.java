package io.crema.image.registry;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketAddress;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * A TCP connection whose waits end: by an interrupt of the thread that waits, by a close from
 * another one, and, those for bytes, at one moment for however many reads it takes, so that a
 * server which sends a byte now and then gains nothing. Requests are smaller than the buffer that
 * takes them, so writes do not wait. TLS is layered over it.
 */
final class Wire extends Socket {
    private final SocketChannel channel;
    private final Socket socket;
    private volatile long readsUntilNanos;

    private Wire(SocketChannel channel) {
        this.channel = channel;
        this.socket = channel.socket();
    }

    static Wire connect(InetSocketAddress address, Duration timeout) throws IOException {
        SocketChannel channel = SocketChannel.open();
        try {
            channel.socket().connect(address, milliseconds(timeout.toNanos()));
            channel.socket().setTcpNoDelay(true);
            return new Wire(channel);
        } catch (Throwable e) {
            channel.close();
            throw e;
        }
    }

    /** At least one: zero would mean for ever. */
    private static int milliseconds(long nanos) {
        return (int)
                Math.clamp(TimeUnit.NANOSECONDS.toMillis(nanos) + 1, 1L, (long) Integer.MAX_VALUE);
    }

    /** From now on reads fail with a {@link SocketTimeoutException} at that {@code nanoTime}. */
    void readsUntil(long nanos) {
        readsUntilNanos = nanos;
    }

    /** Ends it at once, without a word to the other side. */
    void abort() {
        try {
            channel.close();
        } catch (IOException e) {
            // It is closed all the same.
        }
    }

    private final class Input extends FilterInputStream {
        Input(InputStream in) {
            super(in);
        }

        @Override
        public int read() throws IOException {
            byte[] one = new byte[1];
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            long left = readsUntilNanos - System.nanoTime();
            if (left <= 0) {
                throw new SocketTimeoutException("no bytes in time");
            }
            socket.setSoTimeout(milliseconds(left));
            return in.read(bytes, offset, length);
        }
    }

    @Override
    public InputStream getInputStream() throws IOException {
        return new Input(socket.getInputStream());
    }

    @Override
    public OutputStream getOutputStream() throws IOException {
        return socket.getOutputStream();
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }

    @Override
    public boolean isClosed() {
        return socket.isClosed();
    }

    @Override
    public boolean isConnected() {
        return socket.isConnected();
    }

    @Override
    public boolean isBound() {
        return socket.isBound();
    }

    @Override
    public boolean isInputShutdown() {
        return socket.isInputShutdown();
    }

    @Override
    public boolean isOutputShutdown() {
        return socket.isOutputShutdown();
    }

    @Override
    public void shutdownInput() throws IOException {
        socket.shutdownInput();
    }

    @Override
    public void shutdownOutput() throws IOException {
        socket.shutdownOutput();
    }

    /** Without effect on reads, which have their own limit. */
    @Override
    public void setSoTimeout(int timeout) throws SocketException {
        socket.setSoTimeout(timeout);
    }

    @Override
    public int getSoTimeout() throws SocketException {
        return socket.getSoTimeout();
    }

    @Override
    public void setSoLinger(boolean on, int linger) throws SocketException {
        socket.setSoLinger(on, linger);
    }

    @Override
    public int getSoLinger() throws SocketException {
        return socket.getSoLinger();
    }

    @Override
    public InetAddress getInetAddress() {
        return socket.getInetAddress();
    }

    @Override
    public InetAddress getLocalAddress() {
        return socket.getLocalAddress();
    }

    @Override
    public int getPort() {
        return socket.getPort();
    }

    @Override
    public int getLocalPort() {
        return socket.getLocalPort();
    }

    @Override
    public SocketAddress getRemoteSocketAddress() {
        return socket.getRemoteSocketAddress();
    }

    @Override
    public SocketAddress getLocalSocketAddress() {
        return socket.getLocalSocketAddress();
    }
}
