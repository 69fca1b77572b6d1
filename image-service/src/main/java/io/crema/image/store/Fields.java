package io.crema.image.store;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Required fields of our own records; each throws IllegalArgumentException naming the field. */
final class Fields {
    private Fields() {}

    static String text(JsonNode json, String name) {
        JsonNode value = json.path(name);
        if (!value.isTextual()) {
            throw new IllegalArgumentException("'" + name + "' is not a text");
        }
        return value.textValue();
    }

    static long number(JsonNode json, String name) {
        JsonNode value = json.path(name);
        if (!value.isIntegralNumber() || !value.canConvertToLong()) {
            throw new IllegalArgumentException("'" + name + "' is not a whole number");
        }
        return value.longValue();
    }

    static boolean truth(JsonNode json, String name) {
        JsonNode value = json.path(name);
        if (!value.isBoolean()) {
            throw new IllegalArgumentException("'" + name + "' is neither true nor false");
        }
        return value.booleanValue();
    }

    static List<String> texts(JsonNode json, String name) {
        JsonNode value = json.path(name);
        if (!value.isArray()) {
            throw new IllegalArgumentException("'" + name + "' is not a list");
        }
        List<String> texts = new ArrayList<>(value.size());
        for (JsonNode element : value) {
            if (!element.isTextual()) {
                throw new IllegalArgumentException("'" + name + "' is not a list of texts");
            }
            texts.add(element.textValue());
        }
        return texts;
    }

    static Map<String, String> textsByName(JsonNode json, String name) {
        JsonNode value = json.path(name);
        if (!value.isObject()) {
            throw new IllegalArgumentException("'" + name + "' is not an object");
        }
        Map<String, String> texts = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> field : value.properties()) {
            texts.put(field.getKey(), field.getValue().asText());
        }
        return texts;
    }
}
