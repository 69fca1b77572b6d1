package io.crema.runtime;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.Map;
import java.util.TreeMap;

/** The JSON texts in the info maps of verbose answers, which crictl prints as they are. */
final class VerboseInfo {
    private static final ObjectMapper JSON = new ObjectMapper();

    private VerboseInfo() {}

    /** An object with sorted keys. */
    static String json(Map<String, ?> content) {
        try {
            return JSON.writeValueAsString(new TreeMap<>(content));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("cannot print as JSON: " + content, e);
        }
    }
}
