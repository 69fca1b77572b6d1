package io.crema.image.store;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.image.ImageConfiguration;
import io.crema.image.ImageException;
import io.crema.image.registry.Json;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * An image's configuration as its author wrote it (image-spec, config.md): what to run, and the
 * diff ids of its layers, lowest first.
 */
record ConfigurationFile(
        ImageConfiguration configuration, Instant createdAt, List<Digest> diffIds) {
    /** Real ones have a few KiB. */
    static final int MAX_BYTES = 8 << 20;

    private static final int MAX_LIST = 100_000;

    /**
     * @param what the image, for messages
     * @throws ImageException INVALID_ARGUMENT when this is not the configuration of a Linux image
     */
    static ConfigurationFile read(byte[] bytes, String what) {
        JsonNode root;
        try {
            root = Json.parse(bytes);
        } catch (JsonProcessingException e) {
            throw refused(what, "is not JSON: " + e.getOriginalMessage(), e);
        }
        if (!root.isObject()) {
            throw refused(what, "is not a JSON object", null);
        }
        String os = text(root, "os");
        if (!os.isEmpty() && !os.equals("linux")) {
            throw refused(what, "is for '" + shown(os) + "', this node runs linux", null);
        }
        JsonNode rootfs = root.path("rootfs");
        if (!text(rootfs, "type").equals("layers") && !rootfs.path("diff_ids").isEmpty()) {
            throw refused(what, "has a rootfs of a type that is not 'layers'", null);
        }
        List<Digest> diffIds = new ArrayList<>();
        for (String diffId : texts(rootfs, "diff_ids", what)) {
            try {
                diffIds.add(Digest.parse(diffId));
            } catch (IllegalArgumentException e) {
                throw refused(what, "has a bad diff id: " + shown(diffId), e);
            }
        }
        JsonNode config = root.path("config");
        return new ConfigurationFile(
                new ImageConfiguration(
                        text(root, "architecture"),
                        os.isEmpty() ? "linux" : os,
                        text(config, "User"),
                        texts(config, "Env", what),
                        texts(config, "Entrypoint", what),
                        texts(config, "Cmd", what),
                        text(config, "WorkingDir"),
                        text(config, "StopSignal"),
                        volumes(config, what),
                        labels(config)),
                created(root),
                diffIds);
    }

    private static Instant created(JsonNode root) {
        return instant(text(root, "created"));
    }

    /** A time of RFC 3339; 1970 when it is none. */
    static Instant instant(String created) {
        try {
            return created.isEmpty() ? Instant.EPOCH : OffsetDateTime.parse(created).toInstant();
        } catch (DateTimeException e) {
            return Instant.EPOCH;
        }
    }

    private static String text(JsonNode node, String name) {
        return node.path(name).asText("");
    }

    /** A list of texts; a single text, as some old builders wrote, counts as a list of one. */
    private static List<String> texts(JsonNode node, String name, String what) {
        JsonNode list = node.path(name);
        if (list.isTextual()) {
            return List.of(list.textValue());
        }
        if (list.isMissingNode() || list.isNull()) {
            return List.of();
        }
        if (!list.isArray() || list.size() > MAX_LIST) {
            throw refused(what, "has a field '" + name + "' that is not a list of texts", null);
        }
        List<String> texts = new ArrayList<>(list.size());
        for (JsonNode element : list) {
            if (!element.isTextual()) {
                throw refused(what, "has a field '" + name + "' that is not a list of texts", null);
            }
            texts.add(element.textValue());
        }
        return texts;
    }

    private static Set<String> volumes(JsonNode config, String what) {
        JsonNode volumes = config.path("Volumes");
        Set<String> paths = new HashSet<>();
        if (volumes.isArray()) {
            paths.addAll(texts(config, "Volumes", what));
        } else {
            volumes.fieldNames().forEachRemaining(paths::add);
        }
        return paths;
    }

    private static Map<String, String> labels(JsonNode config) {
        Map<String, String> labels = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> label : config.path("Labels").properties()) {
            labels.put(label.getKey(), label.getValue().asText(""));
        }
        return labels;
    }

    private static String shown(String text) {
        String cut = text.length() > 100 ? text.substring(0, 100) + "…" : text;
        StringBuilder clean = new StringBuilder(cut.length());
        for (int i = 0; i < cut.length(); i++) {
            clean.append(Character.isISOControl(cut.charAt(i)) ? '?' : cut.charAt(i));
        }
        return clean.toString();
    }

    private static ImageException refused(String what, String why, @Nullable Throwable cause) {
        return new ImageException(
                ErrorKind.INVALID_ARGUMENT, "the configuration of " + what + " " + why, cause);
    }
}
