package io.crema.oci.monitor;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.crema.oci.runtime.RuntimeJson;
import java.util.Optional;

/**
 * The one line conmon writes to the sync pipe: {@code {"pid": 12}} after create, {@code
 * {"exit_code": 0}} after exec, {@code {"data": …}} in its newer interface; a negative number means
 * failure and comes with a message, the runtime's standard error.
 */
record SyncLine(int number, String message) {
    /** Empty when the line is not what conmon writes. */
    static Optional<SyncLine> parse(String line) {
        JsonNode root;
        try {
            root = RuntimeJson.READER.readTree(line);
        } catch (JsonProcessingException e) {
            return Optional.empty();
        }
        for (String key : new String[] {"pid", "exit_code", "data"}) {
            JsonNode number = root.path(key);
            if (number.isInt()) {
                return Optional.of(new SyncLine(number.intValue(), root.path("message").asText()));
            }
        }
        return Optional.empty();
    }
}
