package io.crema.image.registry;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.Digest;
import java.util.Arrays;
import java.util.Base64;

/**
 * A sigstore signature as somebody made it; nothing in it is true until it is verified.
 *
 * @param of the manifest or index that it was found beside
 * @param payload the bytes that were signed
 * @param signature base64
 */
@SuppressWarnings("ArrayRecordComponent")
public record ImageSignature(Digest of, byte[] payload, String signature) {
    /** The media type of what cosign signs. */
    public static final String MEDIA_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json";

    /** The annotation of an attached payload that holds its signature. */
    public static final String ANNOTATION = "dev.cosignproject.cosign/signature";

    public ObjectNode toJson() {
        return JsonNodeFactory.instance
                .objectNode()
                .put("of", of.toString())
                .put("payload", Base64.getEncoder().encodeToString(payload))
                .put("signature", signature);
    }

    /**
     * @throws IllegalArgumentException when something is missing or malformed
     */
    public static ImageSignature ofJson(JsonNode json) {
        return new ImageSignature(
                Digest.parse(json.path("of").asText()),
                Base64.getDecoder().decode(json.path("payload").asText()),
                json.path("signature").asText());
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ImageSignature(Digest its, byte[] signed, String text)
                && its.equals(of)
                && Arrays.equals(signed, payload)
                && text.equals(signature);
    }

    @Override
    public int hashCode() {
        return signature.hashCode();
    }
}
