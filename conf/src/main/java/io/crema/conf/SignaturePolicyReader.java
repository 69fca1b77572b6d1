package io.crema.conf;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads policy.json as strictly as its manual asks: what is not known is refused, because to pass
 * over it could mean to accept what it rejects. Requirements that cannot be verified here are
 * refused with what to write instead.
 */
final class SignaturePolicyReader {
    private static final long MAX_KEY_BYTES = 64 * 1024;
    private static final Set<String> KEY_SOURCES =
            Set.of("keyPath", "keyPaths", "keyData", "keyDatas");
    private static final Set<String> CERTIFICATES =
            Set.of(
                    "fulcio",
                    "pki",
                    "rekorPublicKeyPath",
                    "rekorPublicKeyPaths",
                    "rekorPublicKeyData",
                    "rekorPublicKeyDatas");

    private final String source;

    private SignaturePolicyReader(String source) {
        this.source = source;
    }

    static SignaturePolicy parse(String source, String text) {
        return new SignaturePolicyReader(source).read(text);
    }

    private SignaturePolicy read(String text) {
        JsonNode root;
        try {
            // A key given twice could hide a rejection.
            root =
                    new ObjectMapper()
                            .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION)
                            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
                            .readTree(text);
        } catch (JsonProcessingException e) {
            throw problem("not JSON: " + e.getOriginalMessage());
        }
        onlyKeys("the file", root, Set.of("default", "transports"));
        JsonNode standard = root.get("default");
        if (standard == null) {
            throw problem("'default' is missing");
        }
        Map<String, Map<String, List<SignatureRequirement>>> transports = new HashMap<>();
        JsonNode named = root.get("transports");
        if (named != null) {
            requireObject("transports", named);
            for (Map.Entry<String, JsonNode> transport : named.properties()) {
                String place = "transports." + transport.getKey();
                requireObject(place, transport.getValue());
                Map<String, List<SignatureRequirement>> scopes = new HashMap<>();
                for (Map.Entry<String, JsonNode> scope : transport.getValue().properties()) {
                    scopes.put(
                            scope.getKey(),
                            requirements(place + ".'" + scope.getKey() + "'", scope.getValue()));
                }
                transports.put(transport.getKey(), scopes);
            }
        }
        return new SignaturePolicy(source, requirements("default", standard), transports);
    }

    private List<SignatureRequirement> requirements(String place, JsonNode list) {
        if (!list.isArray() || list.isEmpty()) {
            throw problem(place + " must be a list of at least one requirement");
        }
        List<SignatureRequirement> requirements = new ArrayList<>();
        for (JsonNode requirement : list) {
            requireObject(place, requirement);
            requirements.add(requirement(place, requirement));
        }
        return requirements;
    }

    private SignatureRequirement requirement(String place, JsonNode requirement) {
        String type = requirement.path("type").asText();
        return switch (type) {
            case "insecureAcceptAnything" -> {
                onlyKeys(place, requirement, Set.of("type"));
                yield new SignatureRequirement.AcceptAnything();
            }
            case "reject" -> {
                onlyKeys(place, requirement, Set.of("type"));
                yield new SignatureRequirement.Reject();
            }
            case "sigstoreSigned" -> sigstoreSigned(place, requirement);
            case "signedBy", "signedBaseLayer" ->
                    throw problem(
                            place
                                    + " asks for '"
                                    + type
                                    + "', but Crema cannot verify GPG signatures; use"
                                    + " \"sigstoreSigned\" with a key, \"reject\" or"
                                    + " \"insecureAcceptAnything\", or give another file as"
                                    + " signature_policy");
            default -> throw problem(place + " has the unknown type '" + type + "'");
        };
    }

    private SignatureRequirement sigstoreSigned(String place, JsonNode requirement) {
        List<String> sources = new ArrayList<>();
        for (Map.Entry<String, JsonNode> field : requirement.properties()) {
            if (CERTIFICATES.contains(field.getKey())) {
                throw problem(
                        place
                                + " asks for '"
                                + field.getKey()
                                + "', but Crema verifies sigstore signatures by public keys only;"
                                + " use keyPath or keyData, or give another file as"
                                + " signature_policy");
            }
            if (KEY_SOURCES.contains(field.getKey())) {
                sources.add(field.getKey());
            } else if (!field.getKey().equals("type") && !field.getKey().equals("signedIdentity")) {
                throw problem(place + " has the unknown key '" + field.getKey() + "'");
            }
        }
        if (sources.size() != 1) {
            throw problem(
                    place
                            + " must have exactly one of keyPath, keyPaths, keyData and keyDatas to"
                            + " name the keys of 'sigstoreSigned'");
        }
        String keySource = sources.getFirst();
        List<SignatureRequirement.Key> keys = new ArrayList<>();
        for (String value :
                texts(place + "." + keySource, requirement.path(keySource), keySource)) {
            keys.add(keySource.startsWith("keyPath") ? keyOfFile(place, value) : key(place, value));
        }
        return new SignatureRequirement.SigstoreSigned(
                keys, identity(place + ".signedIdentity", requirement.get("signedIdentity")));
    }

    private List<String> texts(String place, JsonNode node, String name) {
        boolean several = name.endsWith("s");
        List<String> texts = new ArrayList<>();
        if (several && node.isArray()) {
            for (JsonNode element : node) {
                if (!element.isTextual()) {
                    throw problem(place + " must be a list of texts");
                }
                texts.add(element.textValue());
            }
        } else if (!several && node.isTextual()) {
            texts.add(node.textValue());
        }
        if (texts.isEmpty() || texts.contains("")) {
            throw problem(
                    place + (several ? " must be a list of texts, not empty" : " must be a text"));
        }
        return texts;
    }

    private SignatureRequirement.Key keyOfFile(String place, String path) {
        Path file = Path.of(path);
        if (!file.isAbsolute()) {
            throw problem(place + " names the key " + path + "; its path must be absolute");
        }
        try {
            if (Files.size(file) > MAX_KEY_BYTES) {
                throw problem(
                        place
                                + " names the key "
                                + path
                                + ", which is larger than "
                                + ByteSize.format(MAX_KEY_BYTES));
            }
            return new SignatureRequirement.Key(
                    path, Files.readString(file, StandardCharsets.ISO_8859_1));
        } catch (IOException e) {
            throw problem(place + " names the key " + path + ", which cannot be read: " + e);
        }
    }

    private SignatureRequirement.Key key(String place, String data) {
        try {
            return new SignatureRequirement.Key(
                    "a key in " + source,
                    new String(Base64.getDecoder().decode(data), StandardCharsets.ISO_8859_1));
        } catch (IllegalArgumentException e) {
            throw problem(place + " has a key that is not base64: " + e.getMessage());
        }
    }

    private SignedIdentity identity(String place, @Nullable JsonNode node) {
        if (node == null) {
            return new SignedIdentity.MatchRepoDigestOrExact();
        }
        requireObject(place, node);
        String type = node.path("type").asText();
        return switch (type) {
            case "matchExact" -> {
                onlyKeys(place, node, Set.of("type"));
                yield new SignedIdentity.MatchExact();
            }
            case "matchRepoDigestOrExact" -> {
                onlyKeys(place, node, Set.of("type"));
                yield new SignedIdentity.MatchRepoDigestOrExact();
            }
            case "matchRepository" -> {
                onlyKeys(place, node, Set.of("type"));
                yield new SignedIdentity.MatchRepository();
            }
            case "exactReference" -> {
                onlyKeys(place, node, Set.of("type", "dockerReference"));
                yield new SignedIdentity.ExactReference(text(place, node, "dockerReference"));
            }
            case "exactRepository" -> {
                onlyKeys(place, node, Set.of("type", "dockerRepository"));
                yield new SignedIdentity.ExactRepository(text(place, node, "dockerRepository"));
            }
            case "remapIdentity" -> {
                onlyKeys(place, node, Set.of("type", "prefix", "signedPrefix"));
                yield new SignedIdentity.RemapIdentity(
                        text(place, node, "prefix"), text(place, node, "signedPrefix"));
            }
            default -> throw problem(place + " has the unknown type '" + type + "'");
        };
    }

    private String text(String place, JsonNode node, String name) {
        String text = node.path(name).asText("");
        if (text.isEmpty()) {
            throw problem(place + " lacks '" + name + "'");
        }
        return text;
    }

    private void requireObject(String place, JsonNode node) {
        if (!node.isObject()) {
            throw problem(place + " must be an object");
        }
    }

    private void onlyKeys(String place, JsonNode node, Set<String> known) {
        requireObject(place, node);
        for (Map.Entry<String, JsonNode> entry : node.properties()) {
            if (!known.contains(entry.getKey())) {
                throw problem(place + " has the unknown key '" + entry.getKey() + "'");
            }
        }
    }

    private ConfigurationException problem(String what) {
        return new ConfigurationException(List.of(source + ": " + what));
    }
}
