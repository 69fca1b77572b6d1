package io.crema.image.trust;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.crema.base.Digest;
import io.crema.image.registry.Json;
import java.util.Map;
import java.util.Set;

/**
 * What a signature claims: that this manifest is the image of that name (containers-signature(5),
 * with cosign's type). Read only after the signature over its bytes was verified, and strictly: a
 * field more could mean something else to whoever signed.
 */
record SignedPayload(Digest manifest, String reference) {
    private static final String TYPE = "cosign container image signature";

    /**
     * @throws UnacceptableSignatureException when it is not such a payload
     */
    static SignedPayload read(byte[] bytes) throws UnacceptableSignatureException {
        JsonNode root;
        try {
            root = Json.parse(bytes);
        } catch (JsonProcessingException e) {
            throw new UnacceptableSignatureException("its payload is not JSON");
        }
        exactly(root, Set.of("critical", "optional"), "the payload");
        JsonNode optional = root.path("optional");
        if (!optional.isObject() && !optional.isNull()) {
            throw new UnacceptableSignatureException("'optional' of its payload is not an object");
        }
        JsonNode critical = root.path("critical");
        exactly(critical, Set.of("type", "image", "identity"), "critical");
        if (!text(critical, "type").equals(TYPE)) {
            throw new UnacceptableSignatureException(
                    "its payload is of another type than '" + TYPE + "'");
        }
        JsonNode image = critical.path("image");
        exactly(image, Set.of("docker-manifest-digest"), "critical.image");
        JsonNode identity = critical.path("identity");
        exactly(identity, Set.of("docker-reference"), "critical.identity");
        try {
            return new SignedPayload(
                    Digest.parse(text(image, "docker-manifest-digest")),
                    text(identity, "docker-reference"));
        } catch (IllegalArgumentException e) {
            throw new UnacceptableSignatureException("its payload names a malformed digest");
        }
    }

    private static void exactly(JsonNode object, Set<String> fields, String what)
            throws UnacceptableSignatureException {
        boolean same = object.isObject() && object.size() == fields.size();
        for (Map.Entry<String, JsonNode> field : object.properties()) {
            same &= fields.contains(field.getKey());
        }
        if (!same) {
            throw new UnacceptableSignatureException(
                    what
                            + " does not have exactly the fields "
                            + fields.stream().sorted().toList());
        }
    }

    private static String text(JsonNode object, String field)
            throws UnacceptableSignatureException {
        JsonNode value = object.path(field);
        if (!value.isTextual()) {
            throw new UnacceptableSignatureException("'" + field + "' of its payload is no text");
        }
        return value.textValue();
    }
}
