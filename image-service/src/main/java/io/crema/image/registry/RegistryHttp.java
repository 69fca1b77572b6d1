package io.crema.image.registry;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.time.DateTimeException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.apache.hc.core5.http.io.support.ClassicRequestBuilder;

/**
 * Carries out exchanges with registries: scheme, log-in, redirects and retries, up to the head of a
 * good answer. Credentials go to the registry itself and the realm it names, nowhere else.
 */
final class RegistryHttp {
    private static final int MAX_REDIRECTS = 5;
    private static final int MAX_ERROR_BODY = 8 << 10;
    private static final int MAX_SCHEMES = 256;
    private static final Duration PROBE_TIME = Duration.ofSeconds(10);
    private static final Duration ERROR_BODY_TIME = Duration.ofSeconds(5);

    private final HttpConnections connections;
    private final Authorizations authorizations;

    /** What insecure hosts turned out to speak; least recently used first. */
    private final LinkedHashMap<String, String> schemes = new LinkedHashMap<>(16, 0.75f, true);

    RegistryHttp(HttpConnections connections, Authorizations authorizations) {
        this.connections = connections;
        this.authorizations = authorizations;
    }

    static boolean isTransient(int status) {
        return switch (status) {
            case 408, 429, 500, 502, 503, 504 -> true;
            default -> false;
        };
    }

    /** What Retry-After asks for, in seconds or as a date; zero for nothing. */
    static Duration retryAfter(Answer response) {
        String value = response.header("Retry-After");
        if (value.isEmpty()) {
            return Duration.ZERO;
        }
        try {
            if (Character.isDigit(value.charAt(0))) {
                return Duration.ofSeconds(Math.clamp(Long.parseLong(value), 0, 1_000_000));
            }
            Instant date =
                    ZonedDateTime.parse(value, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant();
            Duration wait = Duration.between(Instant.now(), date);
            return wait.isNegative() ? Duration.ZERO : wait;
        } catch (NumberFormatException | DateTimeException e) {
            return Duration.ZERO;
        }
    }

    /**
     * Fetches the head of a 200 or 206; who gets it closes the body.
     *
     * @param retries of the work this exchange is part of
     */
    Answer open(Exchange exchange, Retries retries, Deadline deadline) {
        Source source = exchange.source();
        while (true) {
            URI uri = uri(source, exchange, deadline);
            try {
                Answer response = once(exchange, uri, deadline);
                int status = response.status();
                if (status == 200 || status == 206) {
                    return response;
                }
                Duration asked = retryAfter(response);
                ImageException failure =
                        Failures.status(
                                source,
                                exchange.what(),
                                response.uri(),
                                status,
                                asked,
                                errorBody(response));
                if (!isTransient(status)) {
                    throw failure;
                }
                retries.pause(failure, asked);
            } catch (IOException e) {
                forgetScheme(source);
                ImageException failure = Failures.connection(source, exchange.what(), uri, e);
                if (!FailureText.isTransient(e)) {
                    throw failure;
                }
                retries.pause(failure, Duration.ZERO);
            }
        }
    }

    private URI uri(Source source, Exchange exchange, Deadline deadline) {
        return URI.create(
                scheme(source, exchange.what(), deadline)
                        + "://"
                        + source.apiHost()
                        + "/v2/"
                        + source.repository()
                        + "/"
                        + exchange.path());
    }

    /** One attempt: follows redirects and answers challenges of the registry itself. */
    private Answer once(Exchange exchange, URI origin, Deadline deadline) throws IOException {
        Source source = exchange.source();
        URI uri = origin;
        String authorization = authorizations.known(source);
        boolean answered = false;
        int redirects = 0;
        while (true) {
            boolean atRegistry = sameServer(uri, origin);
            ClassicRequestBuilder builder = ClassicRequestBuilder.get();
            builder.addHeader("User-Agent", "crema");
            // A compressed transfer would have other bytes than the digest is of.
            builder.addHeader("Accept-Encoding", "identity");
            if (!exchange.accept().isEmpty()) {
                builder.addHeader("Accept", exchange.accept());
            }
            if (exchange.isRange()) {
                builder.addHeader("Range", exchange.range());
            }
            if (atRegistry && !authorization.isEmpty()) {
                builder.addHeader("Authorization", authorization);
            }
            Answer response = connections.send(builder, uri, source.insecure(), deadline);
            switch (response.status()) {
                case 401 -> {
                    // A known header may have expired; what answers the challenge must do.
                    if (!atRegistry || answered) {
                        return response;
                    }
                    answered = true;
                    drain(response);
                    authorization =
                            authorizations.answer(
                                    source,
                                    exchange.what(),
                                    Challenge.parse(response.allHeaders("WWW-Authenticate")),
                                    authorization,
                                    deadline);
                }
                case 301, 302, 303, 307, 308 -> {
                    drain(response);
                    if (++redirects > MAX_REDIRECTS) {
                        throw Failures.protocol(
                                source,
                                exchange.what(),
                                "it redirects more than " + MAX_REDIRECTS + " times");
                    }
                    uri = redirect(exchange, uri, response);
                }
                default -> {
                    return response;
                }
            }
        }
    }

    private static URI redirect(Exchange exchange, URI from, Answer response) {
        Source source = exchange.source();
        String location = response.header("Location");
        URI to;
        try {
            to = from.resolve(new URI(location));
        } catch (URISyntaxException | IllegalArgumentException e) {
            throw Failures.protocol(
                    source, exchange.what(), "it redirects to no URL: " + e.getMessage());
        }
        boolean downgrade = "https".equals(from.getScheme()) && !source.insecure();
        boolean allowed =
                "https".equals(to.getScheme()) || ("http".equals(to.getScheme()) && !downgrade);
        if (location.isEmpty() || !allowed || to.getHost() == null) {
            throw Failures.protocol(
                    source,
                    exchange.what(),
                    "it redirects to '"
                            + ManifestReader.printable(to.getScheme() + "://" + to.getAuthority())
                            + "', which is not allowed from "
                            + from.getScheme()
                            + "://"
                            + from.getAuthority());
        }
        return to;
    }

    /** Scheme, host and port: whoever differs in one of them is somebody else. */
    private static boolean sameServer(URI one, URI other) {
        return one.getScheme().equals(other.getScheme())
                && one.getHost().equalsIgnoreCase(other.getHost())
                && port(one) == port(other)
                && one.getUserInfo() == null;
    }

    private static int port(URI uri) {
        return uri.getPort() >= 0 ? uri.getPort() : "https".equals(uri.getScheme()) ? 443 : 80;
    }

    /** Reads a short rest so that the connection can be used again, and drops a long one. */
    private static void drain(Answer response) {
        errorBody(response);
    }

    private static byte[] errorBody(Answer response) {
        try (ResponseBody body = response.body()) {
            body.limitWaiting(ERROR_BODY_TIME);
            return body.readNBytes(MAX_ERROR_BODY);
        } catch (IOException e) {
            return new byte[0];
        }
    }

    /**
     * TLS, unless configuration allows less: then what the host turns out to speak. A host with a
     * port speaks one of the two there, so plain HTTP, which costs nothing to try, is tried first;
     * without a port the two have ports of their own and TLS comes first. No credentials are sent
     * before the answer is known.
     */
    private String scheme(Source source, String what, Deadline deadline) {
        if (!source.insecure()) {
            return "https";
        }
        String host = source.apiHost();
        synchronized (schemes) {
            String known = schemes.get(host);
            if (known != null) {
                return known;
            }
        }
        boolean hasPort = host.lastIndexOf(':') > host.lastIndexOf(']');
        List<String> order = hasPort ? List.of("http", "https") : List.of("https", "http");
        ImageException first = null;
        for (String scheme : order) {
            URI uri = URI.create(scheme + "://" + host + "/v2/");
            Optional<ImageException> failure =
                    probe(source, what, uri, deadline.atMost(PROBE_TIME));
            if (failure.isEmpty()) {
                synchronized (schemes) {
                    schemes.put(host, scheme);
                    if (schemes.size() > MAX_SCHEMES) {
                        schemes.pollFirstEntry();
                    }
                }
                return scheme;
            }
            if (first == null) {
                first = failure.get();
            } else {
                first.addSuppressed(failure.get());
            }
            if (hasPort && FailureText.isUnreachable(failure.get())) {
                break;
            }
        }
        deadline.check("registry " + host);
        throw Objects.requireNonNull(first);
    }

    /** Empty when the server speaks that scheme, whatever it says. */
    private Optional<ImageException> probe(Source source, String what, URI uri, Deadline deadline) {
        try {
            Answer response =
                    connections.send(
                            ClassicRequestBuilder.get().addHeader("User-Agent", "crema"),
                            uri,
                            true,
                            deadline);
            drain(response);
            int status = response.status();
            // TLS servers say 400 to plain HTTP, and web servers redirect it to TLS.
            boolean refused = status == 400 || (status >= 300 && status < 400);
            return "http".equals(uri.getScheme()) && refused
                    ? Optional.of(
                            Failures.status(source, what, uri, status, Duration.ZERO, new byte[0]))
                    : Optional.empty();
        } catch (IOException e) {
            ImageException failure = Failures.connection(source, what, uri, e);
            if (failure.kind() == ErrorKind.CANCELLED) {
                throw failure;
            }
            return Optional.of(failure);
        } catch (DeadlineExceededException e) {
            // Of the probe; the caller checks the deadline of the work.
            return Optional.of(Failures.transfer(source, what, "no answer in time", e));
        }
    }

    private void forgetScheme(Source source) {
        synchronized (schemes) {
            schemes.remove(source.apiHost());
        }
    }
}
