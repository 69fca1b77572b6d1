package io.crema.image.store;

import com.fasterxml.jackson.databind.JsonNode;
import io.crema.base.CleanupStack;
import io.crema.base.Deadline;
import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.image.Archives;
import io.crema.image.Image;
import io.crema.image.ImageException;
import io.crema.image.layer.LayerArchiver;
import io.crema.image.layer.LayerContent;
import io.crema.image.layer.LayerUnpacker;
import io.crema.image.layer.TarOutput;
import io.crema.image.registry.Json;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import io.crema.oci.linux.LinuxFiles.Resolve;
import io.crema.oci.linux.LinuxMounts.UnmountFlag;
import java.io.BufferedOutputStream;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.FilterInputStream;
import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.SequenceInputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Archives of containers by the same code that reads and writes layers: a container's changes are a
 * layer above the image's, and whatever is unpacked is as little believed as a layer is.
 */
final class ContainerArchives implements Archives {
    private static final int BUFFER_BYTES = 256 << 10;
    private static final Set<OpenFlag> DIRECTORY =
            Set.of(OpenFlag.READ_ONLY, OpenFlag.DIRECTORY, OpenFlag.NO_FOLLOW);
    private static final Set<Resolve> INSIDE = Set.of(Resolve.BENEATH, Resolve.NO_SYMLINKS);
    private static final String WHITEOUT_PREFIX = ".wh.";

    private final ImageStore store;
    private final Linux linux;
    private final LayerUnpacker unpacker;
    private final Blobs blobs;

    ContainerArchives(ImageStore store, Linux linux, LayerUnpacker unpacker, Blobs blobs) {
        this.store = store;
        this.linux = linux;
        this.unpacker = unpacker;
        this.blobs = blobs;
    }

    @Override
    public List<String> saveChanges(Image image, Path upper, Path archive, Deadline deadline) {
        List<String> removed = new ArrayList<>();
        List<String> opaque = new ArrayList<>();
        write(
                archive,
                deadline,
                tar ->
                        LayerArchiver.writeChanges(
                                linux,
                                upper,
                                tar,
                                new LayerArchiver.Removals() {
                                    @Override
                                    public void removed(String path) {
                                        deadline.check(archive.toString());
                                        removed.add("/" + path);
                                    }

                                    @Override
                                    public void hidesAllBelow(String path) {
                                        opaque.add(path);
                                    }
                                }));
        if (!opaque.isEmpty()) {
            addHidden(image, upper, archive.resolveSibling("lower"), opaque, removed, deadline);
        }
        return removed;
    }

    /** What directories of the image would show if the container had not made them anew. */
    private void addHidden(
            Image image,
            Path upper,
            Path place,
            List<String> opaque,
            List<String> removed,
            Deadline deadline) {
        try (CleanupStack undo = new CleanupStack()) {
            Files.createDirectories(place);
            undo.push("remove " + place, () -> Files.deleteIfExists(place));
            store.mountReadOnly(image, place, "", Optional.empty());
            undo.push("unmount " + place, () -> linux.unmount(place, Set.of(UnmountFlag.DETACH)));
            try (Descriptor above = linux.open(upper, DIRECTORY, 0);
                    Descriptor below = linux.open(place, DIRECTORY, 0)) {
                for (String path : opaque) {
                    hidden(above, below, path, removed, deadline);
                }
            }
        } catch (IOException e) {
            throw failure("look into the image below", place, e);
        }
    }

    private void hidden(
            Descriptor above,
            Descriptor below,
            String path,
            List<String> removed,
            Deadline deadline) {
        deadline.check("what hides " + path + " of the image");
        Optional<Descriptor> lower = directory(below, path);
        if (lower.isEmpty()) {
            return;
        }
        try (Descriptor lowerDirectory = lower.get();
                Descriptor upperDirectory = linux.openAt(above, path, DIRECTORY, 0, INSIDE)) {
            for (String name : linux.list(lowerDirectory)) {
                Optional<FileStatus> mine = linux.statusAt(upperDirectory, name);
                if (mine.isEmpty()) {
                    removed.add("/" + path + "/" + name);
                } else if (mine.get().isDirectory()) {
                    hidden(above, below, path + "/" + name, removed, deadline);
                }
            }
        }
    }

    /** Empty when the path is not there, or does not lead through real directories. */
    private Optional<Descriptor> directory(Descriptor root, String path) {
        try {
            return Optional.of(linux.openAt(root, path, DIRECTORY, 0, INSIDE));
        } catch (LinuxException e) {
            if (e.errno().is(Errno.ENOENT)
                    || e.errno().is(Errno.ENOTDIR)
                    || e.errno().is(Errno.ELOOP)) {
                return Optional.empty();
            }
            throw e;
        }
    }

    @Override
    public void applyChanges(
            Image image, Path archive, List<String> removed, Path upper, Deadline deadline) {
        List<Path> below = store.layersTopFirst(image);
        unpack(
                archive,
                whiteouts(removed),
                upper,
                new LayerUnpacker.Parents() {
                    @Override
                    public boolean isEmpty() {
                        return below.isEmpty();
                    }

                    @Override
                    public List<Path> directories() {
                        return below;
                    }
                },
                deadline);
    }

    /** The marks that layers have for what is gone. */
    private static byte[] whiteouts(List<String> removed) {
        ByteArrayOutputStream entries = new ByteArrayOutputStream();
        // Not closed: the changes follow in the same archive.
        TarOutput tar = new TarOutput(entries);
        for (String path : removed) {
            String relative = path.replaceFirst("^/+", "");
            int slash = relative.lastIndexOf('/');
            if (!relative.isEmpty()) {
                try {
                    tar.file(
                            relative.substring(0, slash + 1)
                                    + WHITEOUT_PREFIX
                                    + relative.substring(slash + 1),
                            new byte[0]);
                } catch (IOException e) {
                    throw new IllegalStateException(e); // memory does not fail
                }
            }
        }
        return entries.toByteArray();
    }

    @Override
    public void pack(Path directory, Path archive, Deadline deadline) {
        write(archive, deadline, tar -> LayerArchiver.write(linux, directory, false, false, tar));
    }

    @Override
    public void unpack(Path archive, Path directory, Deadline deadline) {
        unpack(archive, new byte[0], directory, LayerUnpacker.Parents.none(), deadline);
    }

    private void unpack(
            Path archive,
            byte[] before,
            Path directory,
            LayerUnpacker.Parents parents,
            Deadline deadline) {
        try (FileChannel file =
                FileChannel.open(archive, StandardOpenOption.READ)) { // one file for both passes
            // A sequence of streams would close the file at its end.
            Digest digest = digest(before, stream(new byte[0], file, deadline, archive));
            file.position(0);
            var _ =
                    unpacker.unpack(
                            new LayerContent(
                                    "of " + archive,
                                    Optional.empty(),
                                    before.length + file.size(),
                                    digest,
                                    () -> stream(before, file, deadline, archive)),
                            directory,
                            parents);
        } catch (IOException e) {
            throw failure("read", archive, e);
        }
    }

    private static InputStream stream(
            byte[] before, FileChannel file, Deadline deadline, Path archive) {
        InputStream rest = new TimedInput(Channels.newInputStream(file), deadline, archive);
        return before.length == 0
                ? rest
                : new SequenceInputStream(new ByteArrayInputStream(before), rest);
    }

    private static Digest digest(byte[] before, InputStream stream) throws IOException {
        MessageDigest hash;
        try {
            hash = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
        hash.update(before);
        byte[] buffer = new byte[BUFFER_BYTES];
        int length = stream.read(buffer);
        while (length >= 0) {
            hash.update(buffer, 0, length);
            length = stream.read(buffer);
        }
        return Digest.sha256(HexFormat.of().formatHex(hash.digest()));
    }

    @Override
    public Map<String, String> annotations(Image image) {
        Map<String, String> annotations = new HashMap<>();
        Optional<byte[]> manifest = blobs.read(store.recordOf(image).manifestDigest());
        if (manifest.isPresent()) {
            try {
                JsonNode found = Json.parse(manifest.get()).path("annotations");
                found.properties()
                        .forEach(entry ->
                                annotations.put(entry.getKey(), entry.getValue().asText()));
            } catch (IOException e) {
                throw failure("read the manifest of", Path.of(image.id().value()), e);
            }
        }
        return annotations;
    }

    private interface Writing {
        void to(TarOutput tar) throws IOException;
    }

    private static void write(Path archive, Deadline deadline, Writing writing) {
        var forOwner =
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
        try (FileChannel file =
                        FileChannel.open(
                                archive,
                                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                                forOwner);
                OutputStream out =
                        new BufferedOutputStream(
                                new TimedOutput(Channels.newOutputStream(file), deadline, archive),
                                BUFFER_BYTES);
                TarOutput tar = new TarOutput(out)) {
            writing.to(tar);
        } catch (IOException e) {
            throw failure("write", archive, e);
        }
    }

    /** Ends at the deadline also in the middle of a file. */
    private static final class TimedOutput extends FilterOutputStream {
        private final Deadline deadline;
        private final Path archive;

        TimedOutput(OutputStream out, Deadline deadline, Path archive) {
            super(out);
            this.deadline = deadline;
            this.archive = archive;
        }

        @Override
        public void write(int value) throws IOException {
            write(new byte[] {(byte) value}, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            deadline.check(archive + " to be written");
            out.write(bytes, offset, length);
        }
    }

    /** Ends at the deadline, however large the archive is. */
    private static final class TimedInput extends FilterInputStream {
        private final Deadline deadline;
        private final Path archive;

        TimedInput(InputStream in, Deadline deadline, Path archive) {
            super(in);
            this.deadline = deadline;
            this.archive = archive;
        }

        @Override
        public int read() throws IOException {
            deadline.check(archive + " to be read");
            return in.read();
        }

        @Override
        public int read(byte[] bytes, int offset, int length) throws IOException {
            deadline.check(archive + " to be read");
            return in.read(bytes, offset, length);
        }
    }

    private static ImageException failure(String what, Path path, IOException e) {
        return new ImageException(
                ErrorKind.INTERNAL, "cannot " + what + " " + path + ": " + e.getMessage(), e);
    }
}
