package io.crema.runtime;

import io.crema.base.Deadline;
import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.base.ImageId;
import io.crema.image.Archives;
import io.crema.image.IdShift;
import io.crema.image.Image;
import io.crema.image.ImageConfiguration;
import io.crema.image.Images;
import io.crema.image.PullProgress;
import io.crema.image.PullTotals;
import io.crema.oci.linux.Linux;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** One image whose only layer is a directory with Debian's static busybox. */
final class DirectoryImages implements Images {
    static final String NAME = "localhost/test/busybox:latest";

    private final Linux linux;
    private final Image image;
    volatile boolean failsToRelease;
    volatile @Nullable Archives archives;

    DirectoryImages(Linux linux, Path layer) throws IOException {
        this.linux = linux;
        if (!Files.exists(layer)) {
            fill(layer);
        }
        image =
                new Image(
                        new ImageId("ab".repeat(32)),
                        List.of(NAME),
                        List.of(),
                        Digest.sha256("cd".repeat(32)),
                        1,
                        false,
                        Instant.EPOCH,
                        new ImageConfiguration(
                                "amd64",
                                "linux",
                                "",
                                List.of("PATH=/bin"),
                                List.of(),
                                List.of("sh"),
                                "",
                                "",
                                Set.of(),
                                Map.of()),
                        List.of(layer));
    }

    private static void fill(Path layer) throws IOException {
        Path bin = Files.createDirectories(layer.resolve("bin"));
        Files.createDirectories(layer.resolve("etc"));
        Files.createDirectories(
                layer.resolve("tmp"),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwxrwxrwx")));
        Files.copy(Path.of("/bin/busybox"), bin.resolve("busybox"));
        Files.setPosixFilePermissions(
                bin.resolve("busybox"), PosixFilePermissions.fromString("rwxr-xr-x"));
        for (String applet :
                List.of("sh", "sleep", "echo", "cat", "true", "hostname", "ps", "kill")) {
            Files.createLink(bin.resolve(applet), bin.resolve("busybox"));
        }
        Files.writeString(layer.resolve("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
        Files.writeString(layer.resolve("etc/group"), "root:x:0:\n");
    }

    @Override
    public List<Image> list() {
        return List.of(image);
    }

    @Override
    public Optional<Image> find(String reference) {
        return reference.equals(NAME) || reference.equals(image.id().value())
                ? Optional.of(image)
                : Optional.empty();
    }

    @Override
    public Image pull(
            String reference, Credentials credentials, String namespace, Deadline deadline) {
        throw new UnsupportedOperationException();
    }

    @Override
    public List<PullProgress> pulls() {
        return List.of();
    }

    @Override
    public PullTotals pullTotals() {
        return PullTotals.none();
    }

    @Override
    public List<Image> load(Path archive) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void save(List<String> references, Path target, boolean asDirectory) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void remove(String reference) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void use(ImageId id, String user) {}

    @Override
    public void useAlso(ImageId id, String user) {}

    @Override
    public void release(String user) {
        if (failsToRelease) {
            throw new PodException(ErrorKind.INTERNAL, "cannot release");
        }
    }

    @Override
    public void requireTrustedArchive(Path archive, String namespace) {}

    @Override
    public void requireTrusted(Image wanted, String requested, String namespace) {}

    @Override
    public void mountRootFileSystem(
            Image wanted,
            Path upper,
            Path work,
            Path target,
            String mountLabel,
            Optional<IdShift> shift) {
        linux.mount(
                "overlay",
                target,
                "overlay",
                EnumSet.noneOf(io.crema.oci.linux.LinuxMounts.MountFlag.class),
                "lowerdir="
                        + wanted.layerDirectories().getFirst()
                        + ",upperdir="
                        + upper
                        + ",workdir="
                        + work);
    }

    @Override
    public void mountReadOnly(
            Image wanted, Path target, String mountLabel, Optional<IdShift> shift) {
        throw new UnsupportedOperationException();
    }

    @Override
    public Archives archives() {
        return Objects.requireNonNull(archives);
    }

    @Override
    public Usage imageUsage() {
        return new Usage(Path.of("/"), 0, 0);
    }

    @Override
    public Usage usage(Path directory) {
        throw new UnsupportedOperationException();
    }

    @Override
    public void close() {}
}
