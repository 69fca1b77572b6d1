package io.crema.image.store;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.image.Image;
import io.crema.image.ImageException;
import io.crema.image.layer.TarBytes;
import io.crema.image.layer.TreeListing;
import io.crema.image.registry.MemoryRegistry;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxMounts.UnmountFlag;
import io.crema.oci.linux.jna.JnaLinux;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A container's changes, saved and applied to a new writable layer, show the same files. */
@Tag("root")
@Timeout(120)
final class ContainerArchivesTest {
    private static final Linux LINUX = JnaLinux.load();
    private static final Deadline LONG = Deadline.after(Duration.ofMinutes(10));

    @TempDir Path directory;
    private ImageStore store;
    private Image image;
    private Path mounted;

    @BeforeEach
    void open() throws Exception {
        store =
                new ImageStore(
                        StoreOptions.at(directory.resolve("store"), List.of()),
                        LINUX,
                        new MemoryRegistry());
        mounted = Files.createDirectory(directory.resolve("mounted"));
        byte[] base =
                new TarBytes()
                        .directory("./", 0755)
                        .directory("etc", 0755)
                        .file("etc/removed", "x")
                        .file("etc/changed", "old")
                        .directory("srv", 0755)
                        .directory("srv/inner", 0755)
                        .file("srv/inner/hidden", "x")
                        .file("srv/gone", "x")
                        .directory("opt", 0755)
                        .file("opt/all", "x")
                        .end();
        image =
                store.load(ToolImages.layout(directory.resolve("layout"), "app", List.of(base)))
                        .getFirst();
    }

    @AfterEach
    void close() {
        unmount();
        store.close();
    }

    private void unmount() {
        if (LINUX.mounts().stream().anyMatch(mount -> mount.mountPoint().equals(mounted))) {
            LINUX.unmount(mounted, Set.of(UnmountFlag.DETACH));
        }
    }

    private void mount(Path upper, String work) throws Exception {
        store.mountRootFileSystem(
                image, upper, Files.createDirectory(directory.resolve(work)), mounted, "");
    }

    @Test
    void aContainersChangesComeBack() throws Exception {
        Path upper = Files.createDirectory(directory.resolve("upper"));
        mount(upper, "work");
        Files.writeString(mounted.resolve("etc/changed"), "new");
        Files.delete(mounted.resolve("etc/removed"));
        Files.delete(mounted.resolve("opt/all"));
        Files.delete(mounted.resolve("opt"));
        // Removed and made anew: overlayfs marks it as hiding all below.
        Files.delete(mounted.resolve("srv/inner/hidden"));
        Files.delete(mounted.resolve("srv/inner"));
        Files.delete(mounted.resolve("srv/gone"));
        Files.delete(mounted.resolve("srv"));
        Files.createDirectories(mounted.resolve("srv/inner/deep"));
        Files.writeString(mounted.resolve("srv/inner/deep/new"), "new");
        Files.createLink(mounted.resolve("srv/link"), mounted.resolve("srv/inner/deep/new"));
        Files.setPosixFilePermissions(
                mounted.resolve("srv/link"), PosixFilePermissions.fromString("rwxr-x--x"));
        Files.createSymbolicLink(mounted.resolve("etc/symbolic"), Path.of("/etc/changed"));
        try (ServerSocketChannel socket = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            socket.bind(UnixDomainSocketAddress.of(mounted.resolve("etc/socket")));
        }
        Path archive = directory.resolve("changes.tar");
        List<String> removed = store.archives().saveChanges(image, upper, archive, LONG);
        assertThat(removed)
                .containsExactlyInAnyOrder(
                        "/etc/removed", "/opt", "/srv/gone", "/srv/inner/hidden");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(archive)))
                .isEqualTo("rw-------");
        Map<String, String> before = new TreeMap<>(TreeListing.of(LINUX, mounted));
        before.remove("etc/socket");
        unmount();
        Path again = Files.createDirectory(directory.resolve("again"));
        store.archives().applyChanges(image, archive, removed, again, LONG);
        mount(again, "work-again");
        assertThat(TreeListing.of(LINUX, mounted)).isEqualTo(before);
    }

    @Test
    void aHostileArchiveReachesNothing() throws Exception {
        Path archive = directory.resolve("hostile.tar");
        Files.write(
                archive,
                new TarBytes()
                        .symbolicLink("out", directory.resolve("victim").toString())
                        .file("out/file", "x")
                        .end());
        Path target = Files.createDirectory(directory.resolve("target"));
        Files.createDirectory(directory.resolve("victim"));
        try {
            store.archives().unpack(archive, target, LONG);
        } catch (ImageException e) {
            assertThat(e).hasMessageContaining("out");
        }
        assertThat(directory.resolve("victim")).isEmptyDirectory();
        store.archives()
                .applyChanges(
                        image,
                        Files.write(directory.resolve("none.tar"), new TarBytes().end()),
                        List.of("/etc/removed"),
                        Files.createDirectory(directory.resolve("upper")),
                        LONG);
        Path escaping = Files.createDirectory(directory.resolve("escaping"));
        Files.writeString(directory.resolve("kept"), "kept");
        assertThatThrownBy(() ->
                        store.archives()
                                .applyChanges(
                                        image,
                                        directory.resolve("none.tar"),
                                        List.of("/../../kept"),
                                        escaping,
                                        LONG))
                .isInstanceOf(ImageException.class);
        assertThat(directory.resolve("kept")).content(UTF_8).isEqualTo("kept");
    }

    /** More than a terabyte, all of it a hole. */
    @Test
    void theDeadlineEndsEachInTheMiddleOfAFile() throws Exception {
        Path source = Files.createDirectory(directory.resolve("source"));
        try (FileChannel file =
                FileChannel.open(
                        source.resolve("large"),
                        StandardOpenOption.CREATE_NEW,
                        StandardOpenOption.WRITE)) {
            file.write(ByteBuffer.wrap(new byte[] {1}), 1L << 40);
        }
        Path archive = directory.resolve("large.tar");
        late(deadline -> store.archives().pack(source, archive, deadline));
        Files.delete(archive);
        late(deadline -> store.archives().saveChanges(image, source, archive, deadline));
        late(deadline ->
                store.archives()
                        .unpack(
                                source.resolve("large"),
                                Files.createDirectory(directory.resolve("unpacked")),
                                deadline));
    }

    private interface Timed {
        void with(Deadline deadline) throws Exception;
    }

    private static void late(Timed work) {
        long begin = System.nanoTime();
        assertThatThrownBy(() -> work.with(Deadline.after(Duration.ofMillis(200))))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining("large");
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(5));
    }

    @Test
    void anImagesAnnotationsAreThoseOfItsManifest() {
        assertThat(store.archives().annotations(image)).isEmpty();
    }
}
