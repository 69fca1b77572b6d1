package io.crema.image.registry;

import io.crema.image.reference.ImageReference;

/**
 * One repository at one host that serves an image: the registry itself or one of its mirrors. Only
 * the client of this package makes and reads it.
 *
 * @param reference what the user asked for, for messages
 * @param host where the bytes come from, with port
 * @param repository the path of the repository at that host
 * @param insecure whether plain HTTP and unverified TLS are allowed
 * @param mirror whether it stands in for another registry
 * @param login who we are at that host
 */
public record Source(
        ImageReference reference,
        String host,
        String repository,
        boolean insecure,
        boolean mirror,
        Login login) {
    /** The host that serves the protocol; Docker Hub's differs from its name. */
    String apiHost() {
        return host.equals(ImageReference.DOCKER_HUB) ? "registry-1.docker.io" : host;
    }

    /** How messages call it: {@code host/repository}. */
    @Override
    public String toString() {
        return host + "/" + repository + (mirror ? " (a mirror)" : "");
    }
}
