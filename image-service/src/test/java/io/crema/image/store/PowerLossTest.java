package io.crema.image.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.base.Deadline;
import io.crema.image.Image;
import io.crema.image.Images.Credentials;
import io.crema.image.layer.TarBytes;
import io.crema.image.registry.MemoryRegistry;
import io.crema.image.registry.MemoryRegistry.Layer;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.jna.JnaLinux;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a power cut leaves. The store flushes the file system once for each image; whatever was
 * written since is taken as lost, but for records, which are forced one by one.
 */
@Tag("root")
@Timeout(60)
final class PowerLossTest {
    private static final Deadline SOON = Deadline.after(Duration.ofMinutes(1));
    private static final String NAME = "registry.test/app:1";
    private static final Linux LINUX = JnaLinux.load();

    @TempDir Path directory;
    private final MemoryRegistry registry = new MemoryRegistry();
    private final List<Map<String, Long>> atFlush = new ArrayList<>();

    private Path root() {
        return directory.resolve("store");
    }

    /** The real Linux, which tells what is on disk at every flush of the file system. */
    private Linux recording() {
        return (Linux)
                Proxy.newProxyInstance(
                        Linux.class.getClassLoader(),
                        new Class<?>[] {Linux.class},
                        (_, method, arguments) -> {
                            if (method.getName().equals("syncFileSystem")) {
                                atFlush.add(files(root()));
                            }
                            try {
                                return method.invoke(LINUX, arguments);
                            } catch (InvocationTargetException e) {
                                throw e.getCause();
                            }
                        });
    }

    private static Map<String, Long> files(Path root) {
        Map<String, Long> found = new TreeMap<>();
        try (Stream<Path> paths = Files.walk(root)) {
            for (Path path : paths.filter(Files::isRegularFile).toList()) {
                found.put(root.relativize(path).toString(), Files.size(path));
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return found;
    }

    private static Layer layer(String name) {
        byte[] tar = new TarBytes().file(name, name.repeat(1000)).end();
        return new Layer(tar, TarBytes.gzip(tar));
    }

    private Image pull(Linux linux) {
        try (ImageStore store =
                new ImageStore(StoreOptions.at(root(), List.of()), linux, registry)) {
            return store.pull(NAME, Credentials.none(), SOON);
        }
    }

    @Test
    void anImageIsRecordedOnlyWhenAllOfItIsOnDisk() {
        registry.serve(NAME, "", List.of(layer("low"), layer("high")));
        Image image = pull(recording());
        assertThat(atFlush).hasSize(1);
        Map<String, Long> durable = atFlush.getFirst();
        assertThat(durable.keySet()).noneMatch(file -> file.startsWith("images/"));
        Map<String, Long> after = files(root());
        assertThat(after.keySet()).contains("images/" + image.id() + ".json");
        after.forEach((file, size) -> {
            if (file.startsWith("layers/") || file.startsWith("blobs/")) {
                assertThat(durable).as("flushed before the record").containsEntry(file, size);
            }
        });
    }

    @Test
    void layersThatWereNotFlushedAreNeverListedAndComeAgain() throws IOException {
        Layer low = layer("low");
        Layer high = layer("high");
        registry.serve(NAME, "", List.of(low, high));
        Image image = pull(LINUX);
        // Power was lost before the flush: names without bytes, no record of the image, a new boot.
        Files.delete(root().resolve("images/" + image.id() + ".json"));
        String boot = Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip();
        for (String file : files(root().resolve("layers")).keySet()) {
            Path path = root().resolve("layers").resolve(file);
            if (file.endsWith("record.json")) {
                Files.writeString(path, Files.readString(path).replace(boot, "another-boot"));
            } else {
                Files.write(path, new byte[0]);
            }
        }
        for (String file : files(root().resolve("blobs")).keySet()) {
            Files.write(root().resolve("blobs").resolve(file), new byte[0]);
        }
        try (ImageStore store =
                new ImageStore(StoreOptions.at(root(), List.of()), LINUX, registry)) {
            assertThat(store.list()).isEmpty();
            assertThat(store.find(NAME)).isEmpty();
            Image again = store.pull(NAME, Credentials.none(), SOON);
            assertThat(again.id()).isEqualTo(image.id());
            assertThat(registry.opens(low.digest())).isEqualTo(2);
            assertThat(registry.opens(high.digest())).isEqualTo(2);
            assertThat(again.layerDirectories().getFirst().resolve("low"))
                    .hasContent("low".repeat(1000));
        }
    }
}
