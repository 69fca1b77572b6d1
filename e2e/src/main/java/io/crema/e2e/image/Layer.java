package io.crema.e2e.image;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.util.zip.GZIPOutputStream;

/**
 * One layer of an image.
 *
 * @param blob what the registry serves
 * @param diffId digest of the plain tar, as the image's configuration promises it
 */
public record Layer(Blob blob, String diffId) {
    static final String PLAIN = "application/vnd.oci.image.layer.v1.tar";
    static final String GZIP = PLAIN + "+gzip";
    static final String ZSTD = PLAIN + "+zstd";

    /** An honest gzip layer. */
    public static Layer of(byte[] tar) {
        return of(tar, gzip(tar));
    }

    /** A gzip layer whose compressed bytes may be wrong. */
    public static Layer of(byte[] tar, byte[] compressed) {
        return new Layer(new Blob(GZIP, compressed), "sha256:" + Blob.sha256(tar));
    }

    public static Layer of(TarWriter.Entries entries) {
        return of(TarWriter.archive(entries));
    }

    /** A layer without compression. */
    public static Layer plain(byte[] tar) {
        return new Layer(new Blob(PLAIN, tar), "sha256:" + Blob.sha256(tar));
    }

    /** An honest zstd layer, by the command of that name. */
    public static Layer zstd(byte[] tar) {
        try {
            Process zstd =
                    new ProcessBuilder("zstd", "-q", "-c", "-3", "-T1")
                            .redirectError(ProcessBuilder.Redirect.INHERIT)
                            .start();
            Thread feeder =
                    Thread.ofVirtual()
                            .start(() -> {
                                try (OutputStream in = zstd.getOutputStream()) {
                                    in.write(tar);
                                } catch (IOException e) {
                                    throw new UncheckedIOException(e);
                                }
                            });
            byte[] compressed = zstd.getInputStream().readAllBytes();
            feeder.join();
            if (zstd.waitFor() != 0) {
                throw new IllegalStateException("zstd failed");
            }
            return new Layer(new Blob(ZSTD, compressed), "sha256:" + Blob.sha256(tar));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }

    public static byte[] gzip(byte[] content) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(content);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return out.toByteArray();
    }
}
