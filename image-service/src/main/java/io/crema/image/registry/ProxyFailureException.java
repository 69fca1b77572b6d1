package io.crema.image.registry;

import java.io.IOException;

/** A connection that goes through a proxy failed, at the proxy or behind it. */
final class ProxyFailureException extends IOException {
    private static final long serialVersionUID = 1L;

    private final String proxy;
    private final boolean wantsLogin;

    /**
     * @param proxy host and port
     */
    ProxyFailureException(String proxy, IOException cause) {
        super("", cause);
        this.proxy = proxy;
        this.wantsLogin = false;
    }

    /** The proxy makes no tunnel without a login. */
    ProxyFailureException(String proxy) {
        super(
                "it wants a login (407), which is given as http://USER:PASSWORD@HOST:PORT in its"
                        + " variable");
        this.proxy = proxy;
        this.wantsLogin = true;
    }

    boolean wantsLogin() {
        return wantsLogin;
    }

    String proxy() {
        return proxy;
    }
}
