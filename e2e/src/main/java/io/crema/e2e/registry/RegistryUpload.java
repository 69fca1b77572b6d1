package io.crema.e2e.registry;

import io.crema.e2e.image.Blob;
import io.crema.e2e.image.OciImage;
import io.crema.e2e.node.NetworkNamespace;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.URI;
import java.util.Map;

/**
 * Writes to a registry whatever it is told (distribution-spec, Push), also what honest tools refuse
 * to write.
 *
 * @param address HOST:PORT that speaks plain http
 */
public record RegistryUpload(NetworkNamespace network, String address) {
    /** An answer of the registry. */
    private record Answer(int status, Map<String, String> headers) {}

    /** Uploads all of an image under a tag. */
    public void image(String repository, String tag, OciImage image) {
        image.blobs().forEach(blob -> blob(repository, blob));
        manifest(repository, tag, image.manifest());
    }

    /** Uploads one blob in one piece. */
    public void blob(String repository, Blob blob) {
        Answer begun =
                exchange("POST", "http://" + address + "/v2/" + repository + "/blobs/uploads/", "");
        String location = begun.headers.getOrDefault("Location", "");
        if (begun.status != 202 || location.isEmpty()) {
            throw new IllegalStateException("no upload to " + repository + ": " + begun);
        }
        URI target = URI.create("http://" + address + "/").resolve(location);
        Answer done =
                exchange(
                        "PUT",
                        target
                                + (target.getQuery() == null ? "?" : "&")
                                + "digest="
                                + blob.digest(),
                        "application/octet-stream",
                        blob.content());
        if (done.status != 201) {
            throw new IllegalStateException("blob not taken by " + repository + ": " + done);
        }
    }

    /** Uploads a manifest or an index. */
    public void manifest(String repository, String reference, Blob manifest) {
        Answer done =
                exchange(
                        "PUT",
                        "http://" + address + "/v2/" + repository + "/manifests/" + reference,
                        manifest.mediaType(),
                        manifest.content());
        if (done.status != 201) {
            throw new IllegalStateException("manifest not taken by " + repository + ": " + done);
        }
    }

    private Answer exchange(String method, String uri, String mediaType, byte... body) {
        return network.call(() -> {
            HttpURLConnection connection =
                    (HttpURLConnection) URI.create(uri).toURL().openConnection();
            try {
                connection.setRequestMethod(method);
                // A connection that is kept would be found by callers in other namespaces.
                connection.setRequestProperty("Connection", "close");
                if (!mediaType.isEmpty()) {
                    connection.setRequestProperty("Content-Type", mediaType);
                }
                connection.setDoOutput(true);
                connection.setFixedLengthStreamingMode(body.length);
                try (var out = connection.getOutputStream()) {
                    out.write(body);
                }
                int status = connection.getResponseCode();
                String location = connection.getHeaderField("Location");
                return new Answer(
                        status, location == null ? Map.of() : Map.of("Location", location));
            } catch (IOException e) {
                throw new IllegalStateException(method + " " + uri + " failed", e);
            } finally {
                connection.disconnect();
            }
        });
    }
}
