package io.crema.server.streaming;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.ssl.SslHandler;
import java.util.concurrent.TimeUnit;

/**
 * The end of a connection from our side. Closing a socket with unread bytes in it resets the
 * connection, and the reset would destroy what the client has not read yet: its exit code. So we
 * send our end and read on until the client closes, too, or has had its time.
 */
final class Farewell {
    private static final long LINGER_SECONDS = 5;

    private Farewell() {}

    /**
     * @param last the last thing written
     */
    static void after(ChannelFuture last) {
        Channel channel = last.channel();
        var _ =
                last.addListener(sent -> {
                    if (!channel.isActive()) {
                        return;
                    }
                    SslHandler tls = channel.pipeline().get(SslHandler.class);
                    if (tls != null) {
                        var _ = tls.closeOutbound();
                    } else if (channel instanceof DuplexChannel socket) {
                        var _ = socket.shutdownOutput();
                    }
                    var closing =
                            channel.eventLoop()
                                    .schedule(
                                            () -> {
                                                var _ = channel.close();
                                            },
                                            LINGER_SECONDS,
                                            TimeUnit.SECONDS);
                    var _ = channel.closeFuture().addListener(closed -> closing.cancel(false));
                });
    }
}
