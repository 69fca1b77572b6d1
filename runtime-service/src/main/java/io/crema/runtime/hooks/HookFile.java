package io.crema.runtime.hooks;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.crema.oci.spec.RuntimeSpec.Hook;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/**
 * One file of a hooks directory (oci-hooks(5), schema 1.0.0): a program, the containers it is for,
 * and the points of their lives.
 */
record HookFile(Hook hook, When when, Set<Stage> stages) {
    private static final String VERSION = "1.0.0";
    private static final ObjectMapper JSON = new ObjectMapper();

    /** The points that the runtime specification knows, and one before it is handed over. */
    enum Stage {
        PRECREATE("precreate"),
        PRESTART("prestart"),
        CREATE_RUNTIME("createRuntime"),
        CREATE_CONTAINER("createContainer"),
        START_CONTAINER("startContainer"),
        POSTSTART("poststart"),
        POSTSTOP("poststop");

        private final String word;

        Stage(String word) {
            this.word = word;
        }

        static Stage of(String word) {
            for (Stage stage : values()) {
                if (stage.word.equals(word)) {
                    return stage;
                }
            }
            throw new IllegalArgumentException(
                    "stages: '"
                            + word
                            + "' is none of precreate, prestart, createRuntime, createContainer,"
                            + " startContainer, poststart and poststop");
        }
    }

    /** Patterns of an annotation's name and of its value. */
    record Annotation(Pattern name, Pattern value) {
        boolean isAmong(Map<String, String> given) {
            for (Map.Entry<String, String> one : given.entrySet()) {
                if (name.matcher(one.getKey()).find() && value.matcher(one.getValue()).find()) {
                    return true;
                }
            }
            return false;
        }
    }

    /**
     * Conditions, all of which must hold; without any the hook is never run.
     *
     * @param commands patterns of the process's first argument, one of which must be found
     */
    record When(
            Optional<Boolean> always,
            Optional<Boolean> hasBindMounts,
            List<Annotation> annotations,
            List<Pattern> commands) {
        boolean holds(String command, Map<String, String> given, boolean bindMounts) {
            if (always.isPresent() && !always.get()) {
                return false;
            }
            if (hasBindMounts.isPresent() && (!hasBindMounts.get() || !bindMounts)) {
                return false;
            }
            for (Annotation wanted : annotations) {
                if (!wanted.isAmong(given)) {
                    return false;
                }
            }
            if (!commands.isEmpty()) {
                return commands.stream().anyMatch(pattern -> pattern.matcher(command).find());
            }
            return always.isPresent() || hasBindMounts.isPresent() || !annotations.isEmpty();
        }
    }

    /**
     * @throws IllegalArgumentException when this is not a hook that can be run
     */
    static HookFile parse(byte[] content) throws IOException {
        JsonNode root = JSON.readTree(content);
        String version = root.path("version").asText("");
        if (!version.equals(VERSION)) {
            throw new IllegalArgumentException(
                    "version is '" + version + "'; Crema reads " + VERSION);
        }
        Set<Stage> stages = EnumSet.noneOf(Stage.class);
        for (String word : texts("stages", root.path("stages"))) {
            stages.add(Stage.of(word));
        }
        if (stages.isEmpty()) {
            throw new IllegalArgumentException("stages is empty");
        }
        return new HookFile(hook(root.path("hook")), when(root.path("when")), stages);
    }

    private static Hook hook(JsonNode node) {
        String path = node.path("path").asText("");
        if (!path.startsWith("/")) {
            throw new IllegalArgumentException("hook.path is not absolute: '" + path + "'");
        }
        if (!Files.isExecutable(Path.of(path))) {
            throw new IllegalArgumentException("hook.path: there is no program " + path);
        }
        JsonNode timeout = node.path("timeout");
        if (!timeout.isMissingNode() && (!timeout.isInt() || timeout.asInt() <= 0)) {
            throw new IllegalArgumentException("hook.timeout must be a positive number of seconds");
        }
        return new Hook(
                path,
                texts("hook.args", node.path("args")),
                texts("hook.env", node.path("env")),
                timeout.isMissingNode() ? null : timeout.asInt());
    }

    private static When when(JsonNode node) {
        List<Annotation> annotations = new ArrayList<>();
        for (Map.Entry<String, JsonNode> one : node.path("annotations").properties()) {
            annotations.add(
                    new Annotation(
                            pattern("when.annotations", one.getKey()),
                            pattern("when.annotations", one.getValue().asText(""))));
        }
        List<Pattern> commands = new ArrayList<>();
        for (String command : texts("when.commands", node.path("commands"))) {
            commands.add(pattern("when.commands", command));
        }
        return new When(
                flag("when.always", node.path("always")),
                flag("when.hasBindMounts", node.path("hasBindMounts")),
                annotations,
                commands);
    }

    private static Optional<Boolean> flag(String field, JsonNode node) {
        if (node.isMissingNode() || node.isNull()) {
            return Optional.empty();
        }
        if (!node.isBoolean()) {
            throw new IllegalArgumentException(field + " must be true or false");
        }
        return Optional.of(node.booleanValue());
    }

    private static Pattern pattern(String field, String text) {
        try {
            return Pattern.compile(text);
        } catch (PatternSyntaxException e) {
            throw new IllegalArgumentException(field + ": " + e.getMessage(), e);
        }
    }

    private static List<String> texts(String field, JsonNode node) {
        List<String> texts = new ArrayList<>();
        if (node.isMissingNode() || node.isNull()) {
            return texts;
        }
        if (!node.isArray()) {
            throw new IllegalArgumentException(field + " must be a list");
        }
        for (JsonNode one : node) {
            if (!one.isTextual()) {
                throw new IllegalArgumentException(field + " must be a list of texts");
            }
            texts.add(one.textValue());
        }
        return texts;
    }
}
