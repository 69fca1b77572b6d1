package io.crema.image.registry;

import io.crema.image.registry.HttpConnections.AnswerTimeoutException;
import io.crema.image.registry.HttpConnections.ConnectTimeoutException;
import java.net.ConnectException;
import java.net.UnknownHostException;
import java.nio.channels.UnresolvedAddressException;
import java.security.InvalidKeyException;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLHandshakeException;
import org.jspecify.annotations.Nullable;

/** Says in one line why a connection failed; the JDK's exceptions often say nothing at the top. */
final class FailureText {
    private FailureText() {}

    static String of(Throwable failure) {
        if (find(failure, UnresolvedAddressException.class) != null
                || find(failure, UnknownHostException.class) != null) {
            return "the host name does not resolve";
        }
        if (find(failure, ConnectTimeoutException.class) != null) {
            return "no connection in time";
        }
        if (find(failure, AnswerTimeoutException.class) != null) {
            return "no answer in time";
        }
        if (find(failure, SSLException.class) != null) {
            return tls(failure);
        }
        if (find(failure, ConnectException.class) != null) {
            return "connection refused".equalsIgnoreCase(deepest(failure))
                            || deepest(failure).isEmpty()
                    ? "connection refused"
                    : ManifestReader.printable(deepest(failure));
        }
        String text = deepest(failure);
        return text.isEmpty() ? failure.getClass().getSimpleName() : ManifestReader.printable(text);
    }

    /** In the words of Go's x509, which operators of registries search for. */
    private static String tls(Throwable failure) {
        Throwable expired = find(failure, CertificateExpiredException.class);
        if (expired != null) {
            return "x509: certificate has expired (" + deepest(expired) + ")";
        }
        Throwable early = find(failure, CertificateNotYetValidException.class);
        if (early != null) {
            return "x509: certificate is not yet valid (" + deepest(early) + ")";
        }
        String text = deepest(failure);
        if (text.startsWith("No subject alternative") || text.startsWith("No name matching")) {
            return "x509: certificate is for another host (" + text + ")";
        }
        if (text.contains("unable to find valid certification path")
                || text.contains("Path does not chain")) {
            return "x509: certificate signed by unknown authority";
        }
        if (text.startsWith("Signature does not match")
                || find(failure, InvalidKeyException.class) != null) {
            // An authority of that name is known, but it is not the one that signed.
            return "x509: certificate signed by unknown authority of a known name";
        }
        if (find(failure, CertificateException.class) != null
                || find(failure, CertPathValidatorException.class) != null) {
            return "x509: " + ManifestReader.printable(text);
        }
        if (isNotTls(text)) {
            return "TLS: the server does not speak TLS on this port";
        }
        return "TLS: " + ManifestReader.printable(text);
    }

    /** The JDK has two wordings for an answer that is not a TLS record. */
    private static boolean isNotTls(String text) {
        return text.contains("unrecognized SSL message")
                || text.contains("Unrecognized SSL message");
    }

    /** Whether no connection came about at all. */
    static boolean isUnreachable(Throwable failure) {
        return find(failure, UnresolvedAddressException.class) != null
                || find(failure, UnknownHostException.class) != null
                || find(failure, ConnectException.class) != null
                || find(failure, ConnectTimeoutException.class) != null;
    }

    /** Whether another attempt may end differently. */
    static boolean isTransient(Throwable failure) {
        return !isUnreachable(failure)
                && !(find(failure, ProxyFailureException.class) instanceof ProxyFailureException e
                        && e.wantsLogin())
                && find(failure, SSLHandshakeException.class) == null
                && !(find(failure, SSLException.class) != null && isNotTls(deepest(failure)));
    }

    static @Nullable Throwable find(Throwable failure, Class<? extends Throwable> type) {
        Throwable cause = failure;
        for (int depth = 0; cause != null && depth < 16; depth++) {
            if (type.isInstance(cause)) {
                return cause;
            }
            cause = cause.getCause();
        }
        return null;
    }

    private static String deepest(Throwable failure) {
        String text = "";
        Throwable cause = failure;
        for (int depth = 0; cause != null && depth < 16; depth++) {
            String message = cause.getMessage();
            if (message != null && !message.isEmpty()) {
                text = message;
            }
            cause = cause.getCause();
        }
        return text;
    }
}
