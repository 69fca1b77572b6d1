package io.crema.server.streaming;

import io.crema.base.ErrorKind;
import io.crema.server.base.ServerException;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.LongSupplier;

/** The URLs that nobody has used yet; each is good for one use within a minute. */
final class Tickets {
    static final int MAX_WAITING = 1000;
    static final Duration LIFETIME = Duration.ofMinutes(1);

    /** Eight characters of base64. */
    private static final int TOKEN_BYTES = 6;

    private record Waiting(Ticket ticket, long issuedNanos) {}

    private final LongSupplier nanoTime;
    private final SecureRandom random = new SecureRandom();
    // Oldest first.
    private final Map<String, Waiting> waiting = new LinkedHashMap<>();

    /**
     * @param nanoTime the monotonic clock
     */
    Tickets(LongSupplier nanoTime) {
        this.nanoTime = nanoTime;
    }

    /**
     * Answers a new token.
     *
     * @throws ServerException RESOURCE_EXHAUSTED when a thousand wait already
     */
    synchronized String issue(Ticket ticket) {
        dropOld();
        if (waiting.size() >= MAX_WAITING) {
            throw new ServerException(
                    ErrorKind.RESOURCE_EXHAUSTED,
                    MAX_WAITING
                            + " streaming URLs wait for their clients; the oldest expires within "
                            + LIFETIME.toSeconds()
                            + " s, try again then");
        }
        byte[] bytes = new byte[TOKEN_BYTES];
        String token;
        do {
            random.nextBytes(bytes);
            token = Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
        } while (waiting.containsKey(token));
        waiting.put(token, new Waiting(ticket, nanoTime.getAsLong()));
        return token;
    }

    /** Empty for a token that was never issued, was used, or is too old. */
    synchronized Optional<Ticket> use(String token) {
        dropOld();
        return Optional.ofNullable(waiting.remove(token)).map(Waiting::ticket);
    }

    private void dropOld() {
        long now = nanoTime.getAsLong();
        waiting.values().removeIf(one -> now - one.issuedNanos > LIFETIME.toNanos());
    }
}
