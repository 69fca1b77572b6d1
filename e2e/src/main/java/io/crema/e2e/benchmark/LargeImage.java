package io.crema.e2e.benchmark;

import io.crema.e2e.image.Layer;
import io.crema.e2e.image.OciImage;
import io.crema.e2e.image.TarWriter;
import io.crema.e2e.registry.RegistryUpload;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * An image like those of interpreters and their libraries: ten layers, by gzip and by zstd, of some
 * thousand files, most of them small, a third text, a third code, a few that do not compress.
 * Always the same.
 */
final class LargeImage {
    private static final int LAYERS = 10;
    private static final long LAYER_BYTES = 90L << 20;
    private static final int LARGEST_FILE_BYTES = 12 << 20;
    private static final int FILES_PER_DIRECTORY = 40;

    private final OciImage image;
    private final long compressedBytes;
    private final long zstdBytes;
    private final int files;

    private LargeImage(OciImage image, long compressedBytes, long zstdBytes, int files) {
        this.image = image;
        this.compressedBytes = compressedBytes;
        this.zstdBytes = zstdBytes;
        this.files = files;
    }

    /** Makes the image and uploads it layer by layer, with a second tag for its zstd form. */
    static LargeImage upload(RegistryUpload upload, String repository, String tag, String zstdTag) {
        List<Layer> layers = new ArrayList<>();
        List<Layer> zstdLayers = new ArrayList<>();
        long bytes = 0;
        long zstdBytes = 0;
        int files = 0;
        for (int number = 0; number < LAYERS; number++) {
            Content content = new Content(number);
            byte[] tar = TarWriter.archive(content::write);
            Layer layer = Layer.of(tar);
            upload.blob(repository, layer.blob());
            Layer zstd = Layer.zstd(tar);
            upload.blob(repository, zstd.blob());
            zstdBytes += zstd.blob().content().length;
            zstdLayers.add(zstd);
            bytes += layer.blob().content().length;
            files += content.files;
            layers.add(layer);
        }
        OciImage image = OciImage.of(List.of("sh"), layers.toArray(Layer[]::new));
        upload.blob(repository, image.config());
        upload.manifest(repository, tag, image.manifest());
        OciImage zstd = OciImage.of(List.of("sh"), zstdLayers.toArray(Layer[]::new));
        upload.manifest(repository, zstdTag, zstd.manifest());
        return new LargeImage(image, bytes, zstdBytes, files);
    }

    List<String> layerDigests() {
        return image.layers().stream().map(layer -> layer.blob().digest()).toList();
    }

    String describe() {
        return "%d layers, %d files, %d MiB of tar in %d MiB of gzip or %d MiB of zstd"
                .formatted(
                        LAYERS,
                        files,
                        LAYERS * (LAYER_BYTES >> 20),
                        compressedBytes >> 20,
                        zstdBytes >> 20);
    }

    /** What one layer holds. */
    private static final class Content {
        private static final String[] WORDS =
                ("import return static final public class for while if else self def None True"
                                + " value index buffer length error result config request response"
                                + " string number object the of and to in is with from not this")
                        .split(" ", -1);

        private final int number;
        private final Random random;
        private int files;

        Content(int number) {
            this.number = number;
            this.random = new Random(number);
        }

        void write(TarWriter tar) throws IOException {
            long written = 0;
            String directory = "";
            tar.modified(1_600_000_000L + number);
            while (written < LAYER_BYTES) {
                if (files % FILES_PER_DIRECTORY == 0) {
                    directory = "usr/lib/layer" + number + "/package" + files / FILES_PER_DIRECTORY;
                    tar.directory(directory, 0755);
                }
                // Log-normal around 8 KiB: many small files, a few of megabytes.
                int size =
                        (int)
                                Math.min(
                                        LARGEST_FILE_BYTES,
                                        Math.exp(9.0 + 2.0 * random.nextGaussian()));
                tar.file(directory + "/file" + files, bytes(size), 0644);
                written += size;
                files++;
            }
        }

        private byte[] bytes(int size) {
            return switch (random.nextInt(10)) {
                case 0 -> noise(size);
                case 1, 2, 3, 4 -> code(size);
                default -> text(size);
            };
        }

        private byte[] noise(int size) {
            byte[] bytes = new byte[size];
            random.nextBytes(bytes);
            return bytes;
        }

        /** Like machine code: short patterns that come again, with differing operands. */
        private byte[] code(int size) {
            byte[] bytes = new byte[size];
            byte[][] patterns = new byte[64][];
            for (int i = 0; i < patterns.length; i++) {
                patterns[i] = noise(3 + random.nextInt(6));
            }
            int at = 0;
            while (at < size) {
                byte[] pattern = patterns[random.nextInt(patterns.length)];
                int length = Math.min(pattern.length, size - at);
                System.arraycopy(pattern, 0, bytes, at, length);
                at += length;
                if (at < size) {
                    bytes[at++] = (byte) random.nextInt();
                }
            }
            return bytes;
        }

        private byte[] text(int size) {
            StringBuilder text = new StringBuilder(size + 16);
            while (text.length() < size) {
                text.append(WORDS[random.nextInt(WORDS.length)]);
                text.append(random.nextInt(8) == 0 ? "_" + random.nextInt(1000) + "\n    " : " ");
            }
            text.setLength(size);
            return text.toString().getBytes(StandardCharsets.US_ASCII);
        }
    }
}
