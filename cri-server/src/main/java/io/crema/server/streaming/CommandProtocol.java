package io.crema.server.streaming;

import java.util.List;
import java.util.Optional;

/** The sub-protocols of exec and attach. */
enum CommandProtocol {
    V1("channel.k8s.io"),
    V2("v2.channel.k8s.io"),
    V3("v3.channel.k8s.io"),
    V4("v4.channel.k8s.io"),
    V5("v5.channel.k8s.io"),
    BASE64_V1("base64.channel.k8s.io"),
    BASE64_V4("v4.base64.channel.k8s.io"),
    /** A WebSocket client that names none. */
    UNNAMED("");

    /** In the order of our preference; v5 is of WebSocket alone. */
    static final List<CommandProtocol> OF_SPDY = List.of(V4, V3, V2, V1);

    static final List<CommandProtocol> OF_WEB_SOCKET = List.of(V5, V4, BASE64_V4, V1, BASE64_V1);

    private final String word;

    CommandProtocol(String word) {
        this.word = word;
    }

    String word() {
        return word;
    }

    /** Whether the error stream carries a status object; otherwise text, and only an error's. */
    boolean hasStatusObject() {
        return switch (this) {
            case V4, V5, BASE64_V4 -> true;
            case V1, V2, V3, BASE64_V1, UNNAMED -> false;
        };
    }

    /** Whether a terminal's client opens a stream for window sizes (SPDY). */
    boolean hasResizeStream() {
        return switch (this) {
            case V3, V4, V5, BASE64_V4 -> true;
            case V1, V2, BASE64_V1, UNNAMED -> false;
        };
    }

    /** Messages are text: a digit, then base64. */
    boolean isBase64() {
        return switch (this) {
            case BASE64_V1, BASE64_V4 -> true;
            case V1, V2, V3, V4, V5, UNNAMED -> false;
        };
    }

    /** The first of ours that the client offers. */
    static Optional<CommandProtocol> choose(List<CommandProtocol> ours, List<String> offered) {
        for (CommandProtocol protocol : ours) {
            if (offered.contains(protocol.word)) {
                return Optional.of(protocol);
            }
        }
        return Optional.empty();
    }
}
