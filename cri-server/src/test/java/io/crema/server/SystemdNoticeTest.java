package io.crema.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.DomainDatagramSocketAddress;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SystemdNoticeTest {
    @TempDir private Path directory;

    private static String received(String bindTo, String address) throws IOException {
        Epoll.ensureAvailability();
        Socket receiver = Socket.newSocketDomainDgram();
        try {
            receiver.bind(new DomainSocketAddress(bindTo));
            SystemdNotice.send(address);
            ByteBuffer buffer = ByteBuffer.allocateDirect(64);
            DomainDatagramSocketAddress from =
                    receiver.recvFromDomainSocket(buffer, 0, buffer.capacity());
            byte[] bytes = new byte[from.receivedAmount()];
            buffer.get(0, bytes);
            return new String(bytes, StandardCharsets.US_ASCII);
        } finally {
            receiver.close();
        }
    }

    @Test
    void theDatagramArrives() throws IOException {
        String path = directory.resolve("notify").toString();
        assertThat(received(path, path)).isEqualTo("READY=1");
    }

    @Test
    void alsoInTheAbstractNameSpace() throws IOException {
        String name = "crema-test-" + UUID.randomUUID();
        assertThat(received("\0" + name, "@" + name)).isEqualTo("READY=1");
    }

    @Test
    void nobodyListeningIsTold() {
        assertThatThrownBy(() -> SystemdNotice.send(directory.resolve("none").toString()))
                .isInstanceOf(IOException.class);
    }
}
