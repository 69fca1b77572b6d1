package io.crema.image.registry;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import java.io.InterruptedIOException;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.time.Duration;
import java.util.List;

/**
 * The errors of this package in the code and words that kubelet and people read: one line with the
 * image, the registry, the reason and what to do.
 */
final class Failures {
    /** The prefix that kubelet turns into the pod's waiting reason. */
    private static final String UNAVAILABLE = "RegistryUnavailable: ";

    private static final String PROXY_REMEDY =
            "check HTTP_PROXY and HTTPS_PROXY in the daemon's environment";

    private Failures() {}

    /** What happened below HTTP. */
    static ImageException connection(Source source, String what, URI uri, Throwable cause) {
        if (FailureText.find(cause, InterruptedIOException.class)
                        instanceof InterruptedIOException i
                && !(i instanceof SocketTimeoutException)) {
            return Retries.cancelled(cause);
        }
        String why = FailureText.of(cause);
        String host = source.apiHost();
        String remedy;
        if (FailureText.find(cause, ProxyFailureException.class) instanceof ProxyFailureException e
                && !why.startsWith("x509: ")) {
            why = "through the proxy " + e.proxy() + ": " + why;
            remedy = PROXY_REMEDY + ", or add the registry to NO_PROXY";
        } else if (why.startsWith("x509: certificate signed by unknown")) {
            remedy =
                    "put its authority's certificate into /etc/containers/certs.d/"
                            + HttpConnections.place(uri)
                            + "/ca.crt";
        } else if (why.startsWith("x509: certificate is for another host")) {
            remedy = "use the name the certificate is for, or have it made for this one";
        } else if (why.startsWith("x509: ")) {
            remedy = "have the registry's certificate renewed and check this node's clock";
        } else if (why.startsWith("TLS: the server does not speak TLS")) {
            remedy =
                    "if it is meant to be plain http, add '[[registry]] location = \""
                            + host
                            + "\"' with 'insecure = true' to registries.conf";
        } else if (why.startsWith("the host name")) {
            remedy = "check the name and this node's DNS";
        } else if (why.startsWith("connection refused")) {
            remedy = "check that the registry runs and listens there";
        } else {
            remedy = "check the network between this node and the registry";
        }
        return new ImageException(
                ErrorKind.CRI_REASON,
                UNAVAILABLE
                        + subject(source, what)
                        + ": "
                        + why
                        + " ("
                        + place(uri)
                        + "); "
                        + remedy,
                cause);
    }

    /** An answer that is not the thing asked for. */
    static ImageException status(
            Source source, String what, URI uri, int status, Duration retryAfter, byte[] body) {
        String words = words(body);
        String said = words.isEmpty() ? "" : ", saying '" + words + "'";
        return switch (status) {
            case 401 ->
                    new ImageException(
                            ErrorKind.PERMISSION_DENIED,
                            subject(source, what)
                                    + ": unauthorized (401) with "
                                    + source.login()
                                    + said
                                    + "; "
                                    + loginRemedy(source));
            case 403 ->
                    new ImageException(
                            ErrorKind.PERMISSION_DENIED,
                            subject(source, what)
                                    + ": denied (403) with "
                                    + source.login()
                                    + said
                                    + "; "
                                    + loginRemedy(source));
            case 404 ->
                    new ImageException(
                            ErrorKind.NOT_FOUND,
                            (what.startsWith("manifest")
                                            ? "manifest unknown: " + source.reference()
                                            : what + " of " + source.reference() + " unknown")
                                    + " at "
                                    + source
                                    + " (404"
                                    + said
                                    + "); check the name and tag, or push the image");
            case 407 ->
                    new ImageException(
                            ErrorKind.CRI_REASON,
                            UNAVAILABLE
                                    + subject(source, what)
                                    + ": a proxy wants a login (407"
                                    + said
                                    + "); "
                                    + PROXY_REMEDY
                                    + " and give it user and password there"
                                    + " (http://USER:PASSWORD@HOST:PORT)");
            case 429 ->
                    new ImageException(
                            ErrorKind.RESOURCE_EXHAUSTED,
                            subject(source, what)
                                    + ": too many requests (429)"
                                    + said
                                    + (retryAfter.isZero()
                                            ? ""
                                            : "; it asks to come back in "
                                                    + retryAfter.toSeconds()
                                                    + " s")
                                    + "; pull less often, log in, or configure a mirror");
            case 500, 502, 503, 504 ->
                    new ImageException(
                            ErrorKind.CRI_REASON,
                            UNAVAILABLE
                                    + subject(source, what)
                                    + ": it answers "
                                    + status
                                    + said
                                    + " ("
                                    + place(uri)
                                    + "); look at the registry's log, or configure a mirror");
            default ->
                    new ImageException(
                            ErrorKind.UNAVAILABLE,
                            subject(source, what)
                                    + ": unexpected answer "
                                    + status
                                    + said
                                    + " ("
                                    + place(uri)
                                    + "); check that this is a container registry");
        };
    }

    /** The registry does not keep to the protocol. */
    static ImageException protocol(Source source, String what, String problem) {
        return new ImageException(
                ErrorKind.UNAVAILABLE,
                subject(source, what)
                        + ": "
                        + problem
                        + "; the registry or a proxy before it is faulty");
    }

    /** The body came to an end too early, broke off or stalled, and attempts are used up. */
    static ImageException transfer(Source source, String what, String problem, Throwable cause) {
        return new ImageException(
                ErrorKind.CRI_REASON,
                UNAVAILABLE
                        + subject(source, what)
                        + ": "
                        + problem
                        + "; check the network between this node and the registry",
                cause);
    }

    /** The message without the word for kubelet, to be quoted inside another. */
    static String quoted(ImageException failure) {
        String message = String.valueOf(failure.getMessage());
        return message.startsWith(UNAVAILABLE) ? message.substring(UNAVAILABLE.length()) : message;
    }

    /** The registry's own failure, which decides the kind, and in short those of its mirrors. */
    static ImageException all(List<ImageException> failures) {
        ImageException own = failures.getLast();
        List<ImageException> before = failures.subList(0, failures.size() - 1);
        if (before.isEmpty()) {
            return own;
        }
        StringBuilder message = new StringBuilder(String.valueOf(own.getMessage()));
        for (ImageException failure : before) {
            message.append("; before that, ").append(quoted(failure));
        }
        ImageException all = new ImageException(own.kind(), message.toString(), own);
        before.forEach(all::addSuppressed);
        return all;
    }

    /** What is waited for, for a deadline's message. */
    static String step(Source source, String what) {
        return what + " of " + source.reference() + " from registry " + source;
    }

    static ImageException loginImpossible(Source source, String what, String why) {
        return new ImageException(
                ErrorKind.PERMISSION_DENIED,
                subject(source, what) + ": " + why + "; " + loginRemedy(source));
    }

    private static String loginRemedy(Source source) {
        return source.login().isAnonymous()
                ? "give credentials for "
                        + source.host()
                        + " by an imagePullSecret or an auth.json, and check the image's name"
                : "check these credentials and what they may read";
    }

    static String subject(Source source, String what) {
        return "pulling " + source.reference() + ", " + what + " from registry " + source;
    }

    /** Where it happened, without the query: signed URLs are secrets. */
    private static String place(URI uri) {
        return uri.getScheme() + "://" + HttpConnections.place(uri) + uri.getPath();
    }

    /** What the registry says about it: code and message of the first error, or the bare text. */
    private static String words(byte[] body) {
        if (body.length == 0) {
            return "";
        }
        if (body[0] == '{') {
            try {
                JsonNode root = Json.parse(body);
                JsonNode error = root.path("errors").path(0);
                String code = error.path("code").asText("");
                String message = error.path("message").asText(root.path("details").asText(""));
                return ManifestReader.printable(
                        code.isEmpty() || message.isEmpty()
                                ? code + message
                                : code + ": " + message);
            } catch (JsonProcessingException e) {
                return ManifestReader.printable(body);
            }
        }
        // Error pages in HTML help nobody.
        return body[0] == '<' ? "" : ManifestReader.printable(body);
    }
}
