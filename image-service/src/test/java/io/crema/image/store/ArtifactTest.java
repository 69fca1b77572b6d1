package io.crema.image.store;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.image.Image;
import io.crema.image.ImageException;
import io.crema.image.Images.Credentials;
import io.crema.image.layer.ContentHash;
import io.crema.image.registry.MemoryRegistry;
import io.crema.image.registry.ResolvedImage;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxMounts.UnmountFlag;
import io.crema.oci.linux.jna.JnaLinux;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** OCI artifacts: pulled like images, mounted but never run. */
@Tag("root")
@Timeout(60)
final class ArtifactTest {
    private static final Linux LINUX = JnaLinux.load();
    private static final Deadline SOON = Deadline.after(Duration.ofMinutes(5));
    private static final String NAME = "registry.test/model:1";
    private static final String TYPE = "application/vnd.example.model";

    @TempDir Path directory;
    private final MemoryRegistry registry = new MemoryRegistry();
    private ImageStore store;

    @BeforeEach
    void open() {
        store = new ImageStore(options(), LINUX, registry);
    }

    @AfterEach
    void close() {
        store.close();
    }

    private StoreOptions options() {
        return StoreOptions.at(directory.resolve("store"), List.of());
    }

    private static Map<String, byte[]> files(String... titlesAndTexts) {
        Map<String, byte[]> files = new LinkedHashMap<>();
        for (int i = 0; i < titlesAndTexts.length; i += 2) {
            files.put(titlesAndTexts[i], titlesAndTexts[i + 1].getBytes(UTF_8));
        }
        return files;
    }

    private Image pull() {
        return store.pull(NAME, Credentials.none(), SOON);
    }

    private Path mounted(Image image) throws IOException {
        Path target = Files.createDirectory(directory.resolve("mounted"));
        store.mountReadOnly(image, target, "");
        return target;
    }

    @Test
    void filesAreMountedReadOnlyUnderTheirTitles() throws IOException {
        ResolvedImage served =
                registry.serveArtifact(
                        NAME, TYPE, files("a.txt", "one", "deep/er/b.bin", "two", "empty", ""));
        Image image = pull();
        assertThat(image.isArtifact()).isTrue();
        assertThat(image.artifactType()).contains(TYPE);
        assertThat(image.id().value()).isEqualTo(served.digest().hex());
        assertThat(image.repoTags()).containsExactly(NAME);
        assertThat(image.sizeBytes()).isEqualTo(2 + 3 + 3);
        assertThat(store.find(image.id().value().substring(0, 12))).contains(image);
        Path target = mounted(image);
        try {
            assertThat(target.resolve("a.txt")).hasContent("one");
            assertThat(target.resolve("deep/er/b.bin")).hasContent("two");
            assertThat(target.resolve("empty")).hasContent("");
            assertThatThrownBy(() -> Files.writeString(target.resolve("new"), "x"))
                    .isInstanceOf(IOException.class)
                    .hasMessageContaining("Read-only");
            assertThat(Files.readString(Path.of("/proc/self/mounts")).lines())
                    .anySatisfy(line ->
                            assertThat(line).contains(target.toString()).contains("nosuid"));
        } finally {
            LINUX.unmount(target, Set.of(UnmountFlag.DETACH));
        }
    }

    @Test
    void aFileWithoutTitleIsNamedByItsDigest() throws IOException {
        registry.serveArtifact(NAME, TYPE, files("", "nameless"));
        Path target = mounted(pull());
        try {
            String hex = ContentHash.of("nameless".getBytes(UTF_8)).hex();
            assertThat(target.resolve("sha256-" + hex)).hasContent("nameless");
        } finally {
            LINUX.unmount(target, Set.of(UnmountFlag.DETACH));
        }
    }

    @Test
    void itOutlivesTheDaemonAndIsRemovedWithItsFiles() throws IOException {
        registry.serveArtifact(NAME, TYPE, files("a", "one"));
        Image image = pull();
        store.close();
        store = new ImageStore(options(), LINUX, registry);
        assertThat(store.list()).containsExactly(image);
        Path files = image.layerDirectories().getFirst();
        assertThat(files.resolve("a")).hasContent("one");
        store.remove(NAME);
        assertThat(store.list()).isEmpty();
        assertThat(files).doesNotExist();
    }

    @Test
    void itIsKeptWhileAContainerMountsItAndCannotBeRun() {
        registry.serveArtifact(NAME, TYPE, files("a", "one"));
        Image image = pull();
        store.useAlso(image.id(), "container");
        assertThatThrownBy(() -> store.remove(NAME)).hasMessageContaining("container");
        store.release("container");
        assertThatThrownBy(
                        () -> store.mountRootFileSystem(image, directory, directory, directory, ""))
                .isInstanceOf(ImageException.class)
                .hasMessageContaining("not run");
        store.remove(NAME);
        assertThat(store.find(NAME)).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"../out", "/abs", "a//b", "a/./b", "a\nb", ".", "a/../../b", "a/"})
    void titlesThatAreNoNamesAreRefusedAndNothingRemains(String title) throws IOException {
        registry.serveArtifact(NAME, TYPE, files("good", "x", title, "y"));
        assertThatThrownBy(this::pull)
                .isInstanceOf(ImageException.class)
                .hasMessageContaining("a title is a plain relative path");
        assertNothingRemains();
    }

    @Test
    void aFileThatIsAlsoADirectoryIsRefused() throws IOException {
        registry.serveArtifact(NAME, TYPE, files("a", "x", "a/b", "y"));
        assertThatThrownBy(this::pull).isInstanceOf(ImageException.class);
        assertNothingRemains();
    }

    @Test
    void wrongBytesAreRefused() throws IOException {
        ResolvedImage served = registry.serveArtifact(NAME, TYPE, files("a", "one", "b", "two"));
        for (String lie : new String[] {"two", "on", "ones"}) {
            registry.falsify(served.image().layers().getFirst().digest(), lie.getBytes(UTF_8));
            assertThatThrownBy(this::pull)
                    .isInstanceOfSatisfying(
                            ImageException.class,
                            e -> assertThat(e.kind()).isEqualTo(ErrorKind.UNAVAILABLE))
                    .hasMessageContaining("damaged");
        }
        assertNothingRemains();
    }

    @Test
    void theyCanBeSwitchedOff() {
        registry.serveArtifact(NAME, TYPE, files("a", "one"));
        store.close();
        store = new ImageStore(options().withArtifacts(false), LINUX, registry);
        assertThatThrownBy(this::pull).hasMessageContaining("oci_artifact_mount_support");
    }

    private void assertNothingRemains() throws IOException {
        assertThat(store.list()).isEmpty();
        Deadline deadline = Deadline.after(Duration.ofSeconds(10));
        while (!isEmpty(directory.resolve("store/ingest"))) {
            deadline.check("the ingest directory");
            Thread.onSpinWait();
        }
        try (Stream<Path> layers = Files.list(directory.resolve("store/layers"))) {
            assertThat(layers.map(path -> path.getFileName().toString())).containsExactly("empty");
        }
    }

    private static boolean isEmpty(Path of) throws IOException {
        try (Stream<Path> files = Files.list(of)) {
            return files.findAny().isEmpty();
        }
    }
}
