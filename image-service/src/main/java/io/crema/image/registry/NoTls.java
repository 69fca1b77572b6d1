package io.crema.image.registry;

import java.security.SecureRandom;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLContextSpi;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLServerSocketFactory;
import javax.net.ssl.SSLSessionContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManager;
import org.jspecify.annotations.Nullable;

/**
 * The TLS of the client for plain HTTP: none. An HTTP client always has a TLS context, and the
 * JDK's takes some 100 ms to set up that a node which pulls over plain HTTP never needs.
 */
final class NoTls extends SSLContext {
    NoTls() {
        super(new Nothing(), null, "none");
    }

    private static final class Nothing extends SSLContextSpi {
        private static UnsupportedOperationException never() {
            return new UnsupportedOperationException("this client speaks plain HTTP only");
        }

        @Override
        protected void engineInit(
                KeyManager @Nullable [] keys,
                TrustManager @Nullable [] trust,
                @Nullable SecureRandom random) {}

        @Override
        protected SSLSocketFactory engineGetSocketFactory() {
            throw never();
        }

        @Override
        protected SSLServerSocketFactory engineGetServerSocketFactory() {
            throw never();
        }

        @Override
        protected SSLEngine engineCreateSSLEngine() {
            throw never();
        }

        @Override
        protected SSLEngine engineCreateSSLEngine(String host, int port) {
            throw never();
        }

        @Override
        protected SSLSessionContext engineGetServerSessionContext() {
            throw never();
        }

        @Override
        protected SSLSessionContext engineGetClientSessionContext() {
            throw never();
        }

        @Override
        protected SSLParameters engineGetDefaultSSLParameters() {
            return new SSLParameters(new String[0], new String[] {"TLSv1.3"});
        }

        @Override
        protected SSLParameters engineGetSupportedSSLParameters() {
            return engineGetDefaultSSLParameters();
        }
    }
}
