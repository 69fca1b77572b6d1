package io.crema.server.grpc;

import java.util.Set;

/**
 * The methods that answer UNIMPLEMENTED because they are not built yet. This is the only list; the
 * README's status table names the same methods, and a test holds both together.
 */
public final class Unbuilt {
    /** Bare method names; no name occurs in both services. */
    public static final Set<String> METHODS = Set.of("CheckpointPod", "RestorePod");

    private Unbuilt() {}

    static String message(String method) {
        return method + " is not built yet; see the status table in crema's README";
    }
}
