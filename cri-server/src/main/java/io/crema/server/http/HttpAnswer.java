package io.crema.server.http;

import java.nio.charset.StandardCharsets;

/** A whole HTTP response. */
@SuppressWarnings("ArrayRecordComponent")
public record HttpAnswer(int status, String contentType, byte[] body) {
    /** A JSON document. */
    public static HttpAnswer json(byte[] body) {
        return new HttpAnswer(200, "application/json", body);
    }

    /** Text for a reader, with a line end. */
    public static HttpAnswer text(int status, String text) {
        return new HttpAnswer(
                status,
                "text/plain; charset=utf-8",
                (text + "\n").getBytes(StandardCharsets.UTF_8));
    }
}
