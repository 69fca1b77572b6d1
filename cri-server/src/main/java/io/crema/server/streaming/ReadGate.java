package io.crema.server.streaming;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;

/**
 * Keeps {@link ReadPause} from being passed by: decoders ask for more when they believe that they
 * produced nothing, and Netty's SPDY codec always believes so.
 */
final class ReadGate extends ChannelOutboundHandlerAdapter {
    @Override
    public void read(ChannelHandlerContext context) {
        if (context.channel().config().isAutoRead()) {
            context.read();
        }
    }
}
