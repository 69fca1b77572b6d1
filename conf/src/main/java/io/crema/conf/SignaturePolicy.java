package io.crema.conf;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Whose images are accepted (containers-policy.json(5)). Requirements that need a signature are
 * refused when the file is read, because to accept an image unverified would be unsafe.
 *
 * @param source the file, for messages
 * @param otherwise for everything that no scope covers
 * @param transports by transport, then by scope
 */
public record SignaturePolicy(
        String source, Decision otherwise, Map<String, Map<String, Decision>> transports) {
    /** The file that all tools of this family share. */
    public static final Path SYSTEM_FILE = Path.of("/etc/containers/policy.json");

    private static final long MAX_FILE_BYTES = 1024 * 1024;
    private static final Set<String> NEED_SIGNATURES =
            Set.of("signedBy", "sigstoreSigned", "signedBaseLayer");

    /** What is done with an image. */
    public enum Decision {
        ACCEPT,
        REJECT
    }

    public SignaturePolicy {
        Map<String, Map<String, Decision>> copy = new HashMap<>();
        transports.forEach((transport, scopes) -> copy.put(transport, Map.copyOf(scopes)));
        transports = Map.copyOf(copy);
    }

    /**
     * Reads the configured file or the system's. Without either, every image is accepted; a file
     * that the configuration names must exist.
     *
     * @throws ConfigurationException when it cannot be read or asks for what cannot be verified
     */
    public static SignaturePolicy read(ImageSettings settings) {
        return read(
                settings.signaturePolicy().orElse(SYSTEM_FILE),
                settings.signaturePolicy().isEmpty());
    }

    static SignaturePolicy read(Path file, boolean mayBeMissing) {
        try {
            if (Files.size(file) > MAX_FILE_BYTES) {
                throw problem(file.toString(), "larger than " + ByteSize.format(MAX_FILE_BYTES));
            }
            return parse(file.toString(), Files.readString(file));
        } catch (NoSuchFileException e) {
            if (mayBeMissing) {
                return new SignaturePolicy("no policy.json", Decision.ACCEPT, Map.of());
            }
            throw problem(file.toString(), "there is no such file");
        } catch (IOException e) {
            throw problem(file.toString(), "cannot be read: " + e);
        }
    }

    static SignaturePolicy parse(String source, String text) {
        JsonNode root;
        try {
            // A key given twice could hide a rejection.
            root =
                    new ObjectMapper()
                            .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
                            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                            .readTree(text);
        } catch (JsonProcessingException e) {
            throw problem(source, "not JSON: " + e.getOriginalMessage());
        }
        onlyKeys(source, "the file", root, Set.of("default", "transports"));
        JsonNode standard = root.get("default");
        if (standard == null) {
            throw problem(source, "'default' is missing");
        }
        Map<String, Map<String, Decision>> transports = new HashMap<>();
        JsonNode named = root.get("transports");
        if (named != null) {
            requireObject(source, "transports", named);
            for (Map.Entry<String, JsonNode> transport : named.properties()) {
                String place = "transports." + transport.getKey();
                requireObject(source, place, transport.getValue());
                Map<String, Decision> scopes = new HashMap<>();
                for (Map.Entry<String, JsonNode> scope : transport.getValue().properties()) {
                    scopes.put(
                            scope.getKey(),
                            decision(
                                    source, place + ".'" + scope.getKey() + "'", scope.getValue()));
                }
                transports.put(transport.getKey(), scopes);
            }
        }
        return new SignaturePolicy(source, decision(source, "default", standard), transports);
    }

    /** All requirements of a list must hold, so one rejection is enough. */
    private static Decision decision(String source, String place, JsonNode requirements) {
        if (!requirements.isArray() || requirements.isEmpty()) {
            throw problem(source, place + " must be a list of at least one requirement");
        }
        Decision decision = Decision.ACCEPT;
        for (JsonNode requirement : requirements) {
            requireObject(source, place, requirement);
            String type = requirement.path("type").asText();
            switch (type) {
                case "insecureAcceptAnything" ->
                        onlyKeys(source, place, requirement, Set.of("type"));
                case "reject" -> {
                    onlyKeys(source, place, requirement, Set.of("type"));
                    decision = Decision.REJECT;
                }
                default ->
                        throw problem(
                                source,
                                place
                                        + (NEED_SIGNATURES.contains(type)
                                                ? " asks for '"
                                                        + type
                                                        + "', but Crema cannot verify signatures"
                                                        + " yet; use \"reject\" or"
                                                        + " \"insecureAcceptAnything\", or give"
                                                        + " another file as signature_policy"
                                                : " has the unknown type '" + type + "'"));
            }
        }
        return decision;
    }

    private static void requireObject(String source, String place, JsonNode node) {
        if (!node.isObject()) {
            throw problem(source, place + " must be an object");
        }
    }

    private static void onlyKeys(String source, String place, JsonNode node, Set<String> known) {
        requireObject(source, place, node);
        for (Map.Entry<String, JsonNode> entry : node.properties()) {
            if (!known.contains(entry.getKey())) {
                throw problem(source, place + " has the unknown key '" + entry.getKey() + "'");
            }
        }
    }

    private static ConfigurationException problem(String source, String what) {
        return new ConfigurationException(List.of(source + ": " + what));
    }

    /**
     * Decides on an image of a registry. The most special scope wins: the name with its tag or
     * digest, the repository, each path above it, the registry, {@code *.} and each domain above
     * it.
     *
     * @param reference fully qualified: {@code docker.io/library/busybox:latest}
     */
    public Decision ofRegistryImage(String reference) {
        Map<String, Decision> scopes = transports.get("docker");
        if (scopes == null) {
            return otherwise;
        }
        for (String scope : scopesOf(reference)) {
            Decision decision = scopes.get(scope);
            if (decision != null) {
                return decision;
            }
        }
        return general(scopes);
    }

    /**
     * Decides on images of a file. Scopes of single files are not looked at: where one of them
     * rejects, all files of the transport are rejected.
     *
     * @param transport {@code oci}, {@code oci-archive} or {@code docker-archive}
     */
    public Decision ofFile(String transport) {
        Map<String, Decision> scopes = transports.get(transport);
        if (scopes == null) {
            return otherwise;
        }
        return scopes.containsValue(Decision.REJECT) ? Decision.REJECT : general(scopes);
    }

    private Decision general(Map<String, Decision> scopes) {
        @Nullable Decision decision = scopes.get("");
        return decision == null ? otherwise : decision;
    }

    /** The scopes that cover a reference, most special first. */
    static List<String> scopesOf(String reference) {
        List<String> scopes = new ArrayList<>();
        scopes.add(reference);
        int at = reference.indexOf('@');
        String name = at < 0 ? reference : reference.substring(0, at);
        int colon = name.lastIndexOf(':');
        if (colon > name.lastIndexOf('/')) {
            if (at >= 0) {
                scopes.add(name);
            }
            name = name.substring(0, colon);
        }
        int slash;
        if (!name.equals(reference)) {
            scopes.add(name);
        }
        while ((slash = name.lastIndexOf('/')) > 0) {
            name = name.substring(0, slash);
            scopes.add(name);
        }
        int dot;
        String domain = name;
        while ((dot = domain.indexOf('.')) >= 0) {
            domain = domain.substring(dot + 1);
            scopes.add("*." + domain);
        }
        return scopes;
    }
}
