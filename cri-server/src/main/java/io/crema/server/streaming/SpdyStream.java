package io.crema.server.streaming;

import io.netty.handler.codec.spdy.SpdyHeaders;
import org.jspecify.annotations.Nullable;

/** One stream of a SPDY session, opened by the client. Of the event loop alone. */
final class SpdyStream {
    private final SpdySession session;
    private final int id;
    private final SpdyHeaders headers;
    private final Inlet inlet;
    private final Outlet outlet;
    private Runnable reset = () -> {};
    private Runnable endedByUs = () -> {};
    private boolean isEndedByClient;
    private boolean isEndedByUs;

    SpdyStream(SpdySession session, int id, SpdyHeaders headers, Inlet inlet, Outlet outlet) {
        this.session = session;
        this.id = id;
        this.headers = headers;
        this.inlet = inlet;
        this.outlet = outlet;
        outlet.whenEnded(() -> {
            isEndedByUs = true;
            endedByUs.run();
            forgetIfOver();
        });
    }

    int id() {
        return id;
    }

    @Nullable String header(String name) {
        return headers.getAsString(name);
    }

    /** From the client. */
    Inlet inlet() {
        return inlet;
    }

    /** To the client. */
    Outlet outlet() {
        return outlet;
    }

    /** Runs when the client resets the stream. */
    void whenReset(Runnable action) {
        reset = action;
    }

    /** Runs when the last frame of our direction was written. */
    void whenEndedByUs(Runnable action) {
        endedByUs = action;
    }

    void endedByClient() {
        isEndedByClient = true;
        inlet.end();
        forgetIfOver();
    }

    void resetByClient() {
        outlet.close();
        session.forget(this);
        reset.run();
        inlet.end();
        inlet.close();
    }

    /** The connection is gone. */
    void drop() {
        outlet.close();
        inlet.close();
    }

    boolean isEndedByClient() {
        return isEndedByClient;
    }

    private void forgetIfOver() {
        if (isEndedByClient && isEndedByUs) {
            session.forget(this);
        }
    }
}
