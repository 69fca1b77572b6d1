package io.crema.image.registry;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.crema.base.Deadline;
import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.image.reference.ImageReference;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Optional;
import org.apache.hc.core5.http.io.support.ClassicRequestBuilder;

/**
 * Collects the sigstore signatures of a manifest: those attached in its repository under the tag
 * {@code sha256-<hex>.sig}, and those of the lookaside store, {@code
 * <path>@sha256=<hex>/signature-<n>}. None of them is believed here.
 */
final class SignatureSearch {
    private static final int MAX_SIGNATURES = 128;
    private static final int MAX_SIGNATURE_BYTES = 4 << 20;
    private static final byte[] SIGSTORE_HEAD =
            "\0sigstore-json\n".getBytes(StandardCharsets.US_ASCII);

    private final HttpRegistryClient client;
    private final HttpConnections connections;
    private final Path directory;

    /**
     * @param directory registries.d
     */
    SignatureSearch(HttpRegistryClient client, HttpConnections connections, Path directory) {
        this.client = client;
        this.connections = connections;
        this.directory = directory;
    }

    FoundSignatures find(Source source, List<Digest> digests, Deadline deadline) {
        SignatureLocations locations = SignatureLocations.read(directory);
        ImageReference physical =
                new ImageReference(
                        source.host(),
                        source.repository(),
                        source.reference().tag(),
                        source.reference().digest());
        List<ImageSignature> found = new ArrayList<>();
        URI lookaside = locations.lookaside(physical);
        boolean attachments = locations.useAttachments(physical);
        for (Digest digest : digests) {
            fromLookaside(lookaside, digest, found, deadline);
            if (attachments) {
                attached(source, digest, found, deadline);
            }
        }
        return new FoundSignatures(
                found,
                "looked for at "
                        + lookaside
                        + (attachments
                                ? " and in the repository"
                                : "; not in the repository, because no use-sigstore-attachments in "
                                        + directory
                                        + " covers it"));
    }

    private void attached(
            Source source, Digest digest, List<ImageSignature> found, Deadline deadline) {
        String tag = digest.algorithm() + "-" + digest.hex() + ".sig";
        String what = "signatures of " + source.reference() + " at " + source;
        ResolvedManifest served;
        try {
            served = client.fetchManifest(source, tag, Optional.empty(), deadline);
        } catch (ImageException e) {
            if (e.kind() == ErrorKind.NOT_FOUND) {
                return;
            }
            throw e;
        }
        for (ContentDescriptor payload : ManifestReader.attachments(served, what)) {
            String signature = payload.annotations().get(ImageSignature.ANNOTATION);
            if (payload.mediaType().equals(ImageSignature.MEDIA_TYPE) && signature != null) {
                requireFewer(found, what);
                found.add(
                        new ImageSignature(
                                digest,
                                client.fetchBlob(source, payload, MAX_SIGNATURE_BYTES, deadline),
                                signature));
            }
        }
    }

    private static void requireFewer(List<ImageSignature> found, String what) {
        if (found.size() == MAX_SIGNATURES) {
            throw new ImageException(
                    ErrorKind.INVALID_ARGUMENT, what + ": there are more than " + MAX_SIGNATURES);
        }
    }

    private void fromLookaside(
            URI base, Digest digest, List<ImageSignature> found, Deadline deadline) {
        String place = base + "@" + digest.algorithm() + "=" + digest.hex() + "/signature-";
        for (int number = 1; ; number++) {
            URI uri = URI.create(place + number);
            Optional<byte[]> content;
            try {
                content =
                        "file".equals(uri.getScheme())
                                ? file(Path.of(uri.getPath()))
                                : answer(uri, deadline);
            } catch (IOException e) {
                throw new ImageException(
                        ErrorKind.CRI_REASON,
                        "SignatureValidationFailed: the signature " + uri + " cannot be read: " + e,
                        e);
            }
            if (content.isEmpty()) {
                return;
            }
            requireFewer(found, "signatures at " + base);
            read(content.get(), digest).ifPresent(found::add);
        }
    }

    private static Optional<byte[]> file(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return Optional.of(bounded(in));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    private Optional<byte[]> answer(URI uri, Deadline deadline) throws IOException {
        Answer response = connections.send(ClassicRequestBuilder.get(), uri, false, deadline);
        try (ResponseBody body = response.body()) {
            return switch (response.status()) {
                case 200 -> Optional.of(bounded(body));
                case 404 -> Optional.empty();
                default -> throw new IOException("HTTP status " + response.status());
            };
        }
    }

    private static byte[] bounded(InputStream in) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        byte[] buffer = new byte[8192];
        int count;
        while ((count = in.read(buffer, 0, buffer.length)) >= 0) {
            all.write(buffer, 0, count);
            if (all.size() > MAX_SIGNATURE_BYTES) {
                throw new IOException("it is larger than " + MAX_SIGNATURE_BYTES + " bytes");
            }
        }
        return all.toByteArray();
    }

    /** Empty for signatures of another kind, such as GPG's. */
    private static Optional<ImageSignature> read(byte[] content, Digest digest)
            throws ImageException {
        int head = SIGSTORE_HEAD.length;
        if (content.length < head || !Arrays.equals(content, 0, head, SIGSTORE_HEAD, 0, head)) {
            return Optional.empty();
        }
        try {
            JsonNode json = Json.parse(Arrays.copyOfRange(content, head, content.length));
            String signature = json.path("annotations").path(ImageSignature.ANNOTATION).asText("");
            if (!json.path("mimeType").asText("").equals(ImageSignature.MEDIA_TYPE)
                    || signature.isEmpty()) {
                return Optional.empty();
            }
            return Optional.of(
                    new ImageSignature(
                            digest,
                            Base64.getDecoder().decode(json.path("payload").asText("")),
                            signature));
        } catch (JsonProcessingException | IllegalArgumentException e) {
            return Optional.empty();
        }
    }
}
