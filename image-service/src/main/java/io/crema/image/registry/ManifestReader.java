package io.crema.image.registry;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Reads manifests and indexes that strangers wrote. What is not an image of a kind we can verify
 * and run is refused in words that say what it is; what could be read as two different things is
 * refused altogether (CVE-2021-41190).
 */
public final class ManifestReader {
    /** As the distribution project bounds manifests. */
    public static final int MAX_BYTES = 4 << 20;

    /** The kernel stacks at most this many overlay layers. */
    static final int MAX_LAYERS = 500;

    private static final int MAX_INDEX_ENTRIES = 1000;

    /** Models are cut into some hundred files. */
    private static final int MAX_ARTIFACT_FILES = 4096;

    private static final int MAX_URLS = 16;

    private ManifestReader() {}

    /**
     * Gives received bytes their type and digest.
     *
     * @param contentType what the registry said, possibly nothing or something general
     * @param expected the digest that was asked for, when one was
     * @param what the image and where it is from, for messages
     * @throws ImageException when the digest differs or this is no manifest or index
     */
    public static ResolvedManifest accept(
            byte[] content, String contentType, Optional<Digest> expected, String what) {
        String said = withoutParameters(contentType);
        if (MediaTypes.isSchema1(said)) {
            throw schema1(what);
        }
        Digest digest = digest(content, expected.map(Digest::algorithm).orElse("sha256"));
        if (expected.isPresent() && !digest.equals(expected.get())) {
            throw new ImageException(
                    ErrorKind.UNAVAILABLE,
                    "the manifest of "
                            + what
                            + " has digest "
                            + digest
                            + " instead of "
                            + expected.get()
                            + ": the registry or something on the way changed it; nothing was"
                            + " kept");
        }
        JsonNode root = parse(content, what);
        if (root.path("schemaVersion").asInt(2) == 1) {
            throw schema1(what);
        }
        String own = root.path("mediaType").asText("");
        boolean saidKnown = MediaTypes.isIndex(said) || MediaTypes.isManifest(said);
        String mediaType = own.isEmpty() ? said : own;
        if (own.isEmpty() && !saidKnown) {
            mediaType = root.has("manifests") ? MediaTypes.OCI_INDEX : MediaTypes.OCI_MANIFEST;
        }
        boolean index = MediaTypes.isIndex(mediaType);
        if (!index && !MediaTypes.isManifest(mediaType)) {
            throw refused(
                    what,
                    "has media type '"
                            + printable(mediaType)
                            + "', which is neither an image manifest nor an index");
        }
        if (!own.isEmpty() && saidKnown && !own.equals(said)) {
            throw refused(
                    what,
                    "calls itself '"
                            + printable(own)
                            + "' while the registry calls it '"
                            + said
                            + "'");
        }
        boolean ambiguous =
                index ? root.has("config") || root.has("layers") : root.has("manifests");
        if (ambiguous) {
            throw refused(what, "is a manifest and an index at the same time");
        }
        return new ResolvedManifest(mediaType, digest, content);
    }

    /**
     * Reads an index.
     *
     * @param what the image and where it is from, for messages
     */
    public static ImageIndex index(ResolvedManifest served, String what) {
        JsonNode root = parse(served.content(), what);
        JsonNode entries = root.path("manifests");
        if (!entries.isArray()) {
            throw refused(what, "is an index without a list of manifests");
        }
        if (entries.size() > MAX_INDEX_ENTRIES) {
            throw refused(
                    what,
                    "is an index of "
                            + entries.size()
                            + " entries; "
                            + MAX_INDEX_ENTRIES
                            + " are allowed");
        }
        List<ContentDescriptor> manifests = new ArrayList<>(entries.size());
        for (JsonNode entry : entries) {
            manifests.add(descriptor(entry, "an index entry", what));
        }
        return new ImageIndex(manifests, texts(root.path("annotations")));
    }

    /**
     * Reads the manifest of an image whose layers we can unpack, or of an artifact: what names a
     * configuration that is no image's (image-spec, manifest.md, guidelines for artifact usage).
     *
     * @param what the image and where it is from, for messages
     */
    public static ImageManifest manifest(ResolvedManifest served, String what) {
        JsonNode root = parse(served.content(), what);
        ContentDescriptor config = descriptor(root.path("config"), "the configuration", what);
        JsonNode entries = root.path("layers");
        if (!entries.isArray()) {
            throw refused(what, "is a manifest without a list of layers");
        }
        if (!config.mediaType().equals(MediaTypes.OCI_CONFIG)
                && !config.mediaType().equals(MediaTypes.DOCKER_CONFIG)) {
            return artifact(root, config, entries, what);
        }
        if (entries.size() > MAX_LAYERS) {
            throw refused(
                    what,
                    "has " + entries.size() + " layers; the kernel stacks at most " + MAX_LAYERS);
        }
        List<ContentDescriptor> layers = new ArrayList<>(entries.size());
        for (JsonNode entry : entries) {
            ContentDescriptor layer = descriptor(entry, "layer " + (layers.size() + 1), what);
            checkLayer(layer, layers.size() + 1, what);
            layers.add(layer);
        }
        return new ImageManifest(config, layers, texts(root.path("annotations")));
    }

    private static ImageManifest artifact(
            JsonNode root, ContentDescriptor config, JsonNode entries, String what) {
        String said = printable(root.path("artifactType").asText(""));
        String type = said.isEmpty() ? printable(config.mediaType()) : said;
        if (type.isEmpty()) {
            throw refused(what, "names neither a type of its configuration nor an artifactType");
        }
        if (entries.size() > MAX_ARTIFACT_FILES) {
            throw refused(
                    what,
                    "is an artifact of "
                            + entries.size()
                            + " files; "
                            + MAX_ARTIFACT_FILES
                            + " are allowed");
        }
        List<ContentDescriptor> files = new ArrayList<>(entries.size());
        for (JsonNode entry : entries) {
            ContentDescriptor file = descriptor(entry, "file " + (files.size() + 1), what);
            checkOrigin(file, files.size() + 1, what);
            files.add(file);
        }
        return new ImageManifest(config, files, texts(root.path("annotations")), Optional.of(type));
    }

    /** The things that are attached to an image by a manifest like an image's, of any type. */
    static List<ContentDescriptor> attachments(ResolvedManifest served, String what) {
        JsonNode entries = parse(served.content(), what).path("layers");
        if (served.isIndex() || !entries.isArray() || entries.size() > MAX_LAYERS) {
            throw refused(what, "is no manifest of attachments");
        }
        List<ContentDescriptor> attachments = new ArrayList<>(entries.size());
        for (JsonNode entry : entries) {
            attachments.add(descriptor(entry, "attachment " + (attachments.size() + 1), what));
        }
        return attachments;
    }

    private static void checkOrigin(ContentDescriptor layer, int number, String what) {
        if (MediaTypes.isForeignLayer(layer.mediaType()) || !layer.urls().isEmpty()) {
            throw refused(
                    what,
                    "has layer "
                            + number
                            + " ("
                            + layer.digest()
                            + ") at a foreign URL, as Windows images have; such layers are never"
                            + " fetched");
        }
    }

    private static void checkLayer(ContentDescriptor layer, int number, String what) {
        checkOrigin(layer, number, what);
        String type = layer.mediaType();
        boolean known =
                switch (type) {
                    case MediaTypes.OCI_LAYER,
                            MediaTypes.OCI_LAYER_GZIP,
                            MediaTypes.OCI_LAYER_ZSTD,
                            MediaTypes.DOCKER_LAYER,
                            MediaTypes.DOCKER_LAYER_GZIP,
                            MediaTypes.DOCKER_LAYER_ZSTD ->
                            true;
                    default -> false;
                };
        if (!known) {
            throw refused(
                    what,
                    "has layer "
                            + number
                            + " of type '"
                            + printable(type)
                            + (type.endsWith("+encrypted")
                                    ? "', which is encrypted; decryption is not supported"
                                    : "', which cannot be unpacked; tar, gzip and zstd can"));
        }
    }

    /**
     * The manifest of an index that this machine runs.
     *
     * @throws ImageException NOT_FOUND, with the platforms that are offered
     */
    public static ContentDescriptor choose(ImageIndex index, Platform platform, String what) {
        List<ContentDescriptor> entries = new ArrayList<>();
        List<Platform> offered = new ArrayList<>();
        ContentDescriptor unnamed = null;
        for (ContentDescriptor entry : index.manifests()) {
            if (!MediaTypes.isIndex(entry.mediaType())
                    && !MediaTypes.isManifest(entry.mediaType())) {
                continue;
            }
            Optional<Platform> its = entry.platform();
            if (entry.annotations().containsKey("vnd.docker.reference.type")
                    || (its.isPresent() && its.get().isAttestation())) {
                continue;
            }
            if (its.isEmpty()) {
                unnamed = unnamed == null ? entry : unnamed;
            } else {
                entries.add(entry);
                offered.add(its.get());
            }
        }
        Optional<Integer> chosen = platform.choose(offered);
        if (chosen.isPresent()) {
            return entries.get(chosen.get());
        }
        if (unnamed != null) {
            // Its configuration says what it is for.
            return unnamed;
        }
        throw new ImageException(
                ErrorKind.NOT_FOUND,
                what
                        + " has no image for "
                        + platform
                        + ", only for: "
                        + (offered.isEmpty() ? "no platform at all" : list(offered)));
    }

    private static String list(List<Platform> platforms) {
        StringBuilder text = new StringBuilder();
        for (Platform platform : platforms.subList(0, Math.min(32, platforms.size()))) {
            text.append(text.isEmpty() ? "" : ", ").append(printable(platform.toString()));
        }
        return platforms.size() > 32 ? text.append(", …").toString() : text.toString();
    }

    private static ContentDescriptor descriptor(JsonNode node, String role, String what) {
        if (!node.isObject()) {
            throw refused(what, "lacks the descriptor of " + role);
        }
        Digest digest;
        try {
            digest = Digest.parse(node.path("digest").asText(""));
        } catch (IllegalArgumentException e) {
            throw refused(
                    what,
                    "has a bad digest for "
                            + role
                            + ": "
                            + printable(String.valueOf(e.getMessage())));
        }
        JsonNode size = node.path("size");
        if (!size.isIntegralNumber() || !size.canConvertToLong() || size.longValue() < 0) {
            throw refused(what, "has a bad size for " + role + ": " + printable(size.toString()));
        }
        List<String> urls = new ArrayList<>();
        for (JsonNode url : node.path("urls")) {
            if (urls.size() < MAX_URLS) {
                urls.add(url.asText(""));
            }
        }
        JsonNode platform = node.path("platform");
        return new ContentDescriptor(
                node.path("mediaType").asText(""),
                digest,
                size.longValue(),
                urls,
                platform.isObject()
                        ? Optional.of(
                                new Platform(
                                        platform.path("os").asText(""),
                                        platform.path("architecture").asText(""),
                                        platform.path("variant").asText("")))
                        : Optional.empty(),
                texts(node.path("annotations")));
    }

    private static Map<String, String> texts(JsonNode node) {
        if (node.isEmpty()) {
            return Map.of();
        }
        Map<String, String> texts = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> entry : node.properties()) {
            texts.put(entry.getKey(), entry.getValue().asText(""));
        }
        return texts;
    }

    private static JsonNode parse(byte[] content, String what) {
        if (content.length > MAX_BYTES) {
            throw refused(what, "is larger than " + MAX_BYTES + " bytes");
        }
        try {
            JsonNode root = Json.parse(content);
            if (root.isObject()) {
                return root;
            }
        } catch (JsonProcessingException e) {
            throw new ImageException(
                    ErrorKind.INVALID_ARGUMENT,
                    "the manifest of "
                            + what
                            + " is not JSON: "
                            + printable(e.getOriginalMessage()),
                    e);
        }
        throw refused(what, "is not a JSON object");
    }

    static Digest digest(byte[] content, String algorithm) {
        return new Digest(
                algorithm, HexFormat.of().formatHex(messageDigest(algorithm).digest(content)));
    }

    static MessageDigest messageDigest(String algorithm) {
        try {
            return MessageDigest.getInstance(algorithm.equals("sha512") ? "SHA-512" : "SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every JDK has SHA-256 and SHA-512", e);
        }
    }

    private static String withoutParameters(String contentType) {
        int semicolon = contentType.indexOf(';');
        return (semicolon < 0 ? contentType : contentType.substring(0, semicolon)).strip();
    }

    /** Strangers' text for an error message: short, and without control characters. */
    static String printable(String text) {
        StringBuilder clean = new StringBuilder();
        for (int i = 0; i < text.length() && clean.length() < 200; i++) {
            char c = text.charAt(i);
            clean.append(c < ' ' || c == 0x7f || (c >= 0x80 && c < 0xa0) ? ' ' : c);
        }
        return clean.toString().strip();
    }

    static String printable(byte[] text) {
        return printable(new String(text, 0, Math.min(text.length, 800), StandardCharsets.UTF_8));
    }

    private static ImageException schema1(String what) {
        return refused(
                what,
                "is in Docker's manifest schema 1, which names no configuration and cannot be"
                        + " verified; push it again with a tool of this decade");
    }

    private static ImageException refused(String what, String problem) {
        return new ImageException(ErrorKind.INVALID_ARGUMENT, what + " " + problem);
    }
}
