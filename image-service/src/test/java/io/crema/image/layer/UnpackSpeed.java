package io.crema.image.layer;

import io.crema.base.Digest;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import io.crema.oci.linux.jna.JnaLinux;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * A command, not a test: unpacks a compressed layer several times and prints the seconds of each.
 * Arguments: the compressed file, the digest of its plain bytes, an empty directory, repetitions.
 */
final class UnpackSpeed {
    private UnpackSpeed() {}

    public static void main(String[] arguments) throws IOException {
        Path layer = Path.of(arguments[0]);
        Digest diffId = Digest.parse(arguments[1]);
        Path target = Path.of(arguments[2]);
        Linux linux = JnaLinux.load();
        try (ExecutorService workers = Executors.newCachedThreadPool()) {
            LayerUnpacker unpacker = new LayerUnpacker(linux, workers, UnpackLimits.defaults());
            for (int i = 0; i < Integer.parseInt(arguments[3]); i++) {
                Path root = Files.createDirectory(target.resolve("run" + i));
                LayerContent content =
                        new LayerContent(
                                layer.toString(),
                                Optional.empty(),
                                Files.size(layer),
                                diffId,
                                () -> open(layer));
                long cpuStart = processorNanos();
                long start = System.nanoTime();
                UnpackedLayer unpacked =
                        unpacker.unpack(content, root, LayerUnpacker.Parents.none());
                long end = System.nanoTime();
                System.out.printf(
                        "%.2f s, %.2f s of processors  %s%n",
                        (end - start) / 1e9, (processorNanos() - cpuStart) / 1e9, unpacked);
                try (Descriptor parent =
                        linux.open(target, Set.of(OpenFlag.DIRECTORY, OpenFlag.READ_ONLY), 0)) {
                    new TreeRemoval(linux).remove(parent, "run" + i);
                }
                System.out.printf("removed in %.2f s%n", (System.nanoTime() - end) / 1e9);
            }
        }
    }

    private static long processorNanos() {
        return ProcessHandle.current().info().totalCpuDuration().map(Duration::toNanos).orElse(0L);
    }

    private static InputStream open(Path layer) throws IOException {
        return Files.newInputStream(layer);
    }
}
