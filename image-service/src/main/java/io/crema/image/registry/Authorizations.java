package io.crema.image.registry;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.image.ImageException;
import io.crema.image.Images.Credentials;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.apache.hc.core5.http.ContentType;
import org.apache.hc.core5.http.io.support.ClassicRequestBuilder;
import org.jspecify.annotations.Nullable;

/**
 * The Authorization headers we may send, by host, repository and login: Basic, a registry token as
 * given, or bearer tokens fetched from the realm that the registry names and kept until they expire
 * (distribution's token and OAuth2 specifications). Layers that meet an expired token together
 * fetch one new token.
 */
final class Authorizations {
    private record Key(String host, String repository, Login login) {}

    /** A header value and the monotonic instant at which to stop using it. */
    private record Grant(String header, long usableUntilNanos) {}

    /** The grant of one key and the lock of whoever fetches it. */
    private static final class Slot {
        final ReentrantLock fetching = new ReentrantLock();
        volatile @Nullable Grant grant;
    }

    private static final int MAX_SLOTS = 256;
    private static final int MAX_TOKEN_ANSWER = 1 << 20;

    /** It becomes a header; what fits into the socket's buffer is sent without waiting. */
    private static final int MAX_TOKEN_CHARS = 64 << 10;

    /** The token specification's minimum, taken when an answer says nothing. */
    private static final long DEFAULT_LIFE_SECONDS = 60;

    private static final long MAX_LIFE_SECONDS = Duration.ofHours(12).toSeconds();
    private static final String CLIENT_ID = "crema";

    private final HttpConnections connections;
    private final TransferPolicy policy;
    private final LinkedHashMap<Key, Slot> slots = new LinkedHashMap<>(16, 0.75f, true);

    Authorizations(HttpConnections connections, TransferPolicy policy) {
        this.connections = connections;
        this.policy = policy;
    }

    private Slot slot(Source source) {
        Key key = new Key(source.host(), source.repository(), source.login());
        synchronized (slots) {
            Slot slot = slots.computeIfAbsent(key, _ -> new Slot());
            if (slots.size() > MAX_SLOTS) {
                slots.pollFirstEntry();
            }
            return slot;
        }
    }

    /** The header that worked last and has not expired; empty for none. */
    String known(Source source) {
        return usable(slot(source)).map(Grant::header).orElse("");
    }

    private static Optional<Grant> usable(Slot slot) {
        Grant grant = slot.grant;
        return grant == null || grant.usableUntilNanos - System.nanoTime() <= 0
                ? Optional.empty()
                : Optional.of(grant);
    }

    /**
     * Answers a 401.
     *
     * @param challenges what the registry wants
     * @param rejected the header it did not take; empty when there was none
     * @return the header to try next
     * @throws io.crema.image.ImageException PERMISSION_DENIED when there is nothing else to try
     */
    String answer(
            Source source,
            String what,
            List<Challenge> challenges,
            String rejected,
            Deadline deadline) {
        Slot slot = slot(source);
        lock(slot, what, deadline);
        try {
            Optional<Grant> other = usable(slot);
            if (other.isPresent() && !other.get().header.equals(rejected)) {
                return other.get().header;
            }
            Grant grant = grant(source, what, challenges, rejected, deadline);
            slot.grant = grant;
            return grant.header;
        } finally {
            slot.fetching.unlock();
        }
    }

    private static void lock(Slot slot, String what, Deadline deadline) {
        try {
            if (!slot.fetching.tryLock(deadline.remainingNanos(), TimeUnit.NANOSECONDS)) {
                throw new DeadlineExceededException("a token for " + what);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw Retries.cancelled(e);
        }
    }

    private Grant grant(
            Source source,
            String what,
            List<Challenge> challenges,
            String rejected,
            Deadline deadline) {
        Credentials credentials = source.login().credentials();
        Optional<Challenge> bearer = Challenge.find(challenges, "bearer");
        if (bearer.isPresent()) {
            if (!credentials.registryToken().isEmpty()) {
                return unlessRejected(
                        source, what, "Bearer " + credentials.registryToken(), rejected);
            }
            return fetch(source, what, bearer.get(), deadline);
        }
        if (Challenge.find(challenges, "basic").isPresent()) {
            if (credentials.username().isEmpty()) {
                throw Failures.loginImpossible(
                        source,
                        what,
                        "unauthorized (401): it wants a user name and password; given: "
                                + source.login());
            }
            return unlessRejected(source, what, basic(credentials), rejected);
        }
        throw Failures.loginImpossible(
                source,
                what,
                "unauthorized (401) with "
                        + source.login()
                        + ", and it names no way to log in that we know");
    }

    private static Grant unlessRejected(
            Source source, String what, String header, String rejected) {
        if (header.equals(rejected)) {
            throw Failures.loginImpossible(
                    source, what, "unauthorized (401): it does not take " + source.login());
        }
        return new Grant(header, System.nanoTime() + Duration.ofDays(1).toNanos());
    }

    private static String basic(Credentials credentials) {
        return "Basic "
                + Base64.getEncoder()
                        .encodeToString(
                                (credentials.username() + ":" + credentials.password())
                                        .getBytes(StandardCharsets.UTF_8));
    }

    private Grant fetch(Source source, String what, Challenge challenge, Deadline deadline) {
        URI realm = realm(source, what, challenge.parameter("realm"));
        String step = "token of " + realm.getHost() + " for " + what;
        Deadline own = deadline.atMost(policy.smallTimeout());
        Retries retries = new Retries(policy, own);
        while (true) {
            try {
                Answer response =
                        connections.send(
                                tokenRequest(source, challenge),
                                tokenUri(source, challenge, realm),
                                source.insecure(),
                                own);
                byte[] body;
                try (ResponseBody stream = response.body()) {
                    body = stream.readNBytes(MAX_TOKEN_ANSWER + 1);
                }
                int status = response.status();
                if (status == 200 && body.length <= MAX_TOKEN_ANSWER) {
                    return grant(source, what, realm, body);
                }
                Duration asked = RegistryHttp.retryAfter(response);
                ImageException failure = Failures.status(source, step, realm, status, asked, body);
                if (!RegistryHttp.isTransient(status)) {
                    throw failure;
                }
                retries.pause(failure, asked);
            } catch (IOException e) {
                deadline.check(step);
                ImageException failure = Failures.connection(source, step, realm, e);
                if (!FailureText.isTransient(e)) {
                    throw failure;
                }
                retries.pause(failure, Duration.ZERO);
            } catch (DeadlineExceededException e) {
                deadline.check(step);
                throw Failures.transfer(source, step, "no token in time", e);
            }
        }
    }

    private static URI realm(Source source, String what, String realm) {
        try {
            URI uri = new URI(realm);
            boolean allowed =
                    "https".equals(uri.getScheme())
                            || (source.insecure() && "http".equals(uri.getScheme()));
            if (allowed && uri.getHost() != null) {
                return uri;
            }
        } catch (URISyntaxException e) {
            // Refused below.
        }
        throw Failures.protocol(
                source,
                what,
                "it sends us to log in at '"
                        + ManifestReader.printable(realm)
                        + "', where credentials would not be safe; an https URL is needed");
    }

    private static String scope(Source source, Challenge challenge) {
        String asked = challenge.parameter("scope");
        return asked.isEmpty() ? "repository:" + source.repository() + ":pull" : asked;
    }

    private static URI tokenUri(Source source, Challenge challenge, URI realm) {
        Credentials credentials = source.login().credentials();
        if (!credentials.identityToken().isEmpty()) {
            return realm;
        }
        StringBuilder query = new StringBuilder();
        append(query, "service", challenge.parameter("service"));
        append(query, "scope", scope(source, challenge));
        append(query, "account", credentials.username());
        String text = realm.toString();
        return URI.create(text + (text.indexOf('?') < 0 ? "?" : "&") + query);
    }

    private static ClassicRequestBuilder tokenRequest(Source source, Challenge challenge) {
        Credentials credentials = source.login().credentials();
        if (!credentials.identityToken().isEmpty()) {
            StringBuilder form = new StringBuilder();
            append(form, "grant_type", "refresh_token");
            append(form, "service", challenge.parameter("service"));
            append(form, "client_id", CLIENT_ID);
            append(form, "scope", scope(source, challenge));
            append(form, "refresh_token", credentials.identityToken());
            return ClassicRequestBuilder.post()
                    .setEntity(form.toString(), ContentType.APPLICATION_FORM_URLENCODED);
        }
        ClassicRequestBuilder builder = ClassicRequestBuilder.get();
        if (!credentials.username().isEmpty()) {
            builder.addHeader("Authorization", basic(credentials));
        }
        return builder;
    }

    private static void append(StringBuilder form, String name, String value) {
        if (!value.isEmpty()) {
            form.append(form.isEmpty() ? "" : "&")
                    .append(name)
                    .append('=')
                    .append(URLEncoder.encode(value, StandardCharsets.UTF_8));
        }
    }

    private static Grant grant(Source source, String what, URI realm, byte[] body) {
        String token = "";
        long life = DEFAULT_LIFE_SECONDS;
        try {
            JsonNode answer = Json.parse(body);
            token = answer.path("token").asText(answer.path("access_token").asText(""));
            life = answer.path("expires_in").asLong(DEFAULT_LIFE_SECONDS);
        } catch (JsonProcessingException e) {
            // Told below: an answer without a token.
        }
        boolean valid = !token.isEmpty();
        for (int i = 0; valid && i < token.length(); i++) {
            valid = token.charAt(i) > ' ' && token.charAt(i) < 0x7f;
        }
        if (!valid) {
            throw Failures.protocol(
                    source, what, "the token server " + realm.getHost() + " sent no token");
        }
        if (token.length() > MAX_TOKEN_CHARS) {
            throw Failures.protocol(
                    source,
                    what,
                    "the token server "
                            + realm.getHost()
                            + " sent a token of "
                            + token.length()
                            + " characters");
        }
        life = Math.clamp(life, DEFAULT_LIFE_SECONDS, MAX_LIFE_SECONDS);
        // A tenth less, because our clock started after the server's.
        return new Grant(
                "Bearer " + token, System.nanoTime() + TimeUnit.SECONDS.toNanos(life - life / 10));
    }
}
