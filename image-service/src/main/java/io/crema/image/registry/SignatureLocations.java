package io.crema.image.registry;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.crema.base.ErrorKind;
import io.crema.conf.SignaturePolicy;
import io.crema.image.ImageException;
import io.crema.image.reference.ImageReference;
import java.io.IOException;
import java.net.URI;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Where signatures of images lie (containers-registries.d(5)): beside the image in its registry, or
 * in files or on a server of their own. Files that are there are read strictly.
 */
final class SignatureLocations {
    /** What all tools of this family fall back on. */
    private static final URI STANDARD_LOOKASIDE = URI.create("file:///var/lib/containers/sigstore");

    private static final int MAX_FILE_BYTES = 1 << 20;
    private static final Set<String> KEYS =
            Set.of(
                    "lookaside",
                    "lookaside-staging",
                    "sigstore",
                    "sigstore-staging",
                    "use-sigstore-attachments");

    /** What one scope says; null for nothing. */
    private record Section(@Nullable URI lookaside, @Nullable Boolean attachments) {}

    private final Map<String, Section> scopes = new HashMap<>();
    private @Nullable Section standard;

    /**
     * Reads all {@code *.yaml} of a directory, which may be missing.
     *
     * @throws ImageException INVALID_ARGUMENT naming the file and what is wrong
     */
    static SignatureLocations read(Path directory) {
        SignatureLocations locations = new SignatureLocations();
        List<Path> files = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory, "*.yaml")) {
            entries.forEach(files::add);
            Collections.sort(files);
            for (Path file : files) {
                locations.add(file);
            }
        } catch (NoSuchFileException e) {
            return locations;
        } catch (IOException e) {
            throw invalid(directory, "cannot be read: " + e);
        }
        return locations;
    }

    private void add(Path file) throws IOException {
        if (Files.size(file) > MAX_FILE_BYTES) {
            throw invalid(file, "is larger than " + MAX_FILE_BYTES + " bytes");
        }
        JsonNode root;
        try {
            // Made for these files only: the parser costs memory that most nodes can spare.
            root = parser().readTree(Files.readString(file));
        } catch (JsonProcessingException e) {
            throw invalid(file, "is not YAML: " + e.getMessage());
        }
        if (root.isMissingNode() || root.isNull()) {
            return;
        }
        for (Map.Entry<String, JsonNode> entry : mapping(file, "the file", root).properties()) {
            String key = entry.getKey();
            switch (key) {
                case "default-docker" -> {
                    if (standard != null) {
                        throw invalid(file, "has a second default-docker");
                    }
                    standard = section(file, key, entry.getValue());
                }
                case "docker" -> {
                    for (Map.Entry<String, JsonNode> scope :
                            mapping(file, "docker", entry.getValue()).properties()) {
                        String name = scope.getKey();
                        if (scopes.put(name, section(file, name, scope.getValue())) != null) {
                            throw invalid(file, "describes '" + name + "' a second time");
                        }
                    }
                }
                default -> throw invalid(file, "has the unknown key '" + key + "'");
            }
        }
    }

    private static YAMLMapper parser() {
        return YAMLMapper.builder(
                        YAMLFactory.builder()
                                .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                                .build())
                // Of several documents only the first would count.
                .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                .build();
    }

    private static JsonNode mapping(Path file, String what, JsonNode value) {
        if (value.isObject()) {
            return value;
        }
        throw invalid(file, what + " is not a mapping");
    }

    private static Section section(Path file, String place, JsonNode value) {
        URI lookaside = null;
        Boolean attachments = null;
        for (Map.Entry<String, JsonNode> entry : mapping(file, place, value).properties()) {
            String key = entry.getKey();
            if (!KEYS.contains(key)) {
                throw invalid(file, place + " has the unknown key '" + key + "'");
            }
            if (key.equals("use-sigstore-attachments")) {
                attachments = truth(file, place + "." + key, entry.getValue());
            } else if (key.equals("lookaside") || (key.equals("sigstore") && lookaside == null)) {
                lookaside = uri(file, place + "." + key, entry.getValue().asText());
            }
        }
        return new Section(lookaside, attachments);
    }

    /** Also in the words of YAML 1.1, which tools of this family read. */
    private static boolean truth(Path file, String place, JsonNode value) {
        return switch (value.asText()) {
            case "true", "yes", "on" -> true;
            case "false", "no", "off" -> false;
            default -> throw invalid(file, place + " is neither true nor false");
        };
    }

    private static URI uri(Path file, String place, String text) {
        try {
            URI uri = URI.create(text);
            String scheme = String.valueOf(uri.getScheme());
            if (scheme.equals("file") || scheme.equals("http") || scheme.equals("https")) {
                return uri;
            }
        } catch (IllegalArgumentException e) {
            // As below.
        }
        throw invalid(file, place + " is not a file, http or https URL: " + text);
    }

    private static ImageException invalid(Path file, String what) {
        return new ImageException(ErrorKind.INVALID_ARGUMENT, file + " " + what);
    }

    /** Whether signatures are looked for in the image's own repository. */
    boolean useAttachments(ImageReference reference) {
        return find(reference, Section::attachments).orElse(false);
    }

    /** The directory or URL below which the signatures of a repository lie. */
    URI lookaside(ImageReference reference) {
        String base = find(reference, Section::lookaside).orElse(STANDARD_LOOKASIDE).toString();
        String separator = base.endsWith("/") ? "" : "/";
        return URI.create(base + separator + reference.path());
    }

    /** The most special scope that says anything about it. */
    private <T> Optional<T> find(
            ImageReference reference, Function<Section, @Nullable T> question) {
        for (String scope : SignaturePolicy.scopesOf(reference.toString())) {
            Section section = scopes.get(scope);
            T answer = section == null ? null : question.apply(section);
            if (answer != null) {
                return Optional.of(answer);
            }
        }
        Section general = standard;
        return general == null ? Optional.empty() : Optional.ofNullable(question.apply(general));
    }
}
