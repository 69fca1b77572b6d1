package io.crema.image.layer;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import io.crema.oci.linux.LinuxFiles.Resolve;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Makes a layer's tar archive again from its unpacked files: with the whiteouts of image-spec
 * instead of overlayfs's, in the order of names. It unpacks to the same files, but its bytes, and
 * so its digest, are not those that the layer once came in.
 */
public final class LayerArchiver {
    private static final Set<OpenFlag> DIRECTORY =
            Set.of(OpenFlag.READ_ONLY, OpenFlag.DIRECTORY, OpenFlag.NO_FOLLOW);
    private static final Set<OpenFlag> FILE =
            Set.of(OpenFlag.READ_ONLY, OpenFlag.NO_FOLLOW, OpenFlag.NON_BLOCKING);
    private static final Set<Resolve> INSIDE = Set.of(Resolve.BENEATH, Resolve.NO_SYMLINKS);
    private static final int BUFFER_BYTES = 256 << 10;

    /** Hears of the marks in a container's writable layer, which then get no entries. */
    public interface Removals {
        /** A name is gone that layers below have. */
        void removed(String path) throws IOException;

        /** A directory shows nothing of what layers below have in theirs of the same name. */
        void hidesAllBelow(String path) throws IOException;
    }

    private final LinuxFiles files;
    private final TarOutput tar;
    private final @Nullable Removals removals;
    private final Map<Long, String> linked = new HashMap<>();
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_BYTES);
    private final byte[] bytes = new byte[BUFFER_BYTES];

    private LayerArchiver(LinuxFiles files, TarOutput tar, @Nullable Removals removals) {
        this.files = files;
        this.tar = tar;
        this.removals = removals;
    }

    /**
     * Writes all entries of a container's writable layer but its root directory and its sockets,
     * without the archive's end.
     */
    public static void writeChanges(LinuxFiles files, Path upper, TarOutput tar, Removals removals)
            throws IOException {
        LayerArchiver archiver = new LayerArchiver(files, tar, removals);
        try (Descriptor directory = files.open(upper, DIRECTORY, 0)) {
            archiver.all(directory);
        }
    }

    /**
     * Writes all entries, without the archive's end.
     *
     * @param root the unpacked layer
     * @param rootGiven whether the layer says what the root directory is like
     * @param hidesAllBelow whether nothing of the layers below shows
     */
    public static void write(
            LinuxFiles files, Path root, boolean rootGiven, boolean hidesAllBelow, TarOutput tar)
            throws IOException {
        LayerArchiver archiver = new LayerArchiver(files, tar, null);
        try (Descriptor directory = files.open(root, DIRECTORY, 0)) {
            if (rootGiven) {
                archiver.entry(directory, ".", "./", files.status(directory));
            }
            if (hidesAllBelow) {
                archiver.empty(Overlay.OPAQUE_MARKER);
            }
            archiver.all(directory);
        }
    }

    /** Names that were listed but not yet visited; a directory's come before its siblings. */
    private void all(Descriptor root) throws IOException {
        Deque<String> ahead = new ArrayDeque<>();
        push(ahead, "", files.list(root));
        while (!ahead.isEmpty()) {
            if (Thread.currentThread().isInterrupted()) {
                throw new InterruptedIOException("saving was cancelled");
            }
            String path = ahead.pop();
            int slash = path.lastIndexOf('/');
            try (Descriptor parent =
                    slash < 0
                            ? files.openAt(root, ".", DIRECTORY, 0, INSIDE)
                            : files.openAt(root, path.substring(0, slash), DIRECTORY, 0, INSIDE)) {
                visit(parent, path.substring(slash + 1), path, ahead);
            }
        }
    }

    private static void push(Deque<String> ahead, String prefix, List<String> names) {
        names.stream().sorted(Comparator.reverseOrder()).forEach(name -> ahead.push(prefix + name));
    }

    private void visit(Descriptor parent, String name, String path, Deque<String> ahead)
            throws IOException {
        FileStatus status =
                files.statusAt(parent, name)
                        .orElseThrow(() -> new IOException("'" + path + "' vanished"));
        if (Overlay.isWhiteout(status) && removals != null) {
            removals.removed(path);
            return;
        }
        if (isSocket(status) && removals != null) {
            return;
        }
        if (Overlay.isWhiteout(status)) {
            empty(
                    path.substring(0, path.length() - name.length())
                            + Overlay.WHITEOUT_PREFIX
                            + name);
            return;
        }
        if (!status.isDirectory()) {
            entry(parent, name, path, status);
            return;
        }
        entry(parent, name, path + "/", status);
        boolean opaque =
                files.attributeAt(parent, name, Overlay.OPAQUE_ATTRIBUTE)
                        .filter(value -> value.length == 1 && value[0] == 'y')
                        .isPresent();
        if (opaque && removals != null) {
            removals.hidesAllBelow(path);
        } else if (opaque) {
            empty(path + "/" + Overlay.OPAQUE_MARKER);
        }
        try (Descriptor directory = files.openAt(parent, name, DIRECTORY, 0, INSIDE)) {
            push(ahead, path + "/", files.list(directory));
        }
    }

    private static boolean isSocket(FileStatus status) {
        return (status.mode() & 0170000) == 0140000;
    }

    private void empty(String name) throws IOException {
        tar.write(new TarOutput.Header('0', name, "", 0, 0, 0, 0, 0, 0, 0, 0, Map.of()));
    }

    private void entry(Descriptor parent, String name, String path, FileStatus status)
            throws IOException {
        if (!status.isDirectory() && status.linkCount() > 1) {
            String first = linked.putIfAbsent(status.inode(), path);
            if (first != null) {
                tar.write(header('1', path, first, status, 0, Map.of()));
                return;
            }
        }
        int type = status.mode() & 0170000;
        switch (type) {
            case 0040000 -> tar.write(header('5', path, "", status, 0, attributes(parent, name)));
            case 0100000 -> file(parent, name, path, status);
            case 0120000 ->
                    tar.write(
                            header(
                                    '2',
                                    path,
                                    files.readLinkAt(parent, name),
                                    status,
                                    0,
                                    attributes(parent, name)));
            case 0020000 -> tar.write(header('3', path, "", status, 0, attributes(parent, name)));
            case 0060000 -> tar.write(header('4', path, "", status, 0, attributes(parent, name)));
            case 0010000 -> tar.write(header('6', path, "", status, 0, attributes(parent, name)));
            default ->
                    throw new IOException(
                            "'" + path + "' is of a type that tar cannot hold (a socket)");
        }
    }

    private void file(Descriptor parent, String name, String path, FileStatus status)
            throws IOException {
        tar.write(header('0', path, "", status, status.size(), attributes(parent, name)));
        long left = status.size();
        try (Descriptor file = files.openAt(parent, name, FILE, 0, INSIDE)) {
            while (left > 0) {
                buffer.clear().limit((int) Math.min(BUFFER_BYTES, left));
                int count = files.read(file, buffer);
                if (count <= 0) {
                    throw new IOException("'" + path + "' became shorter while it was read");
                }
                buffer.flip().get(bytes, 0, count);
                tar.content(bytes, count);
                left -= count;
            }
        }
        tar.pad(status.size());
    }

    private static TarOutput.Header header(
            char type,
            String path,
            String link,
            FileStatus status,
            long size,
            Map<String, byte[]> attributes) {
        boolean device = type == '3' || type == '4';
        return new TarOutput.Header(
                type,
                path,
                link,
                status.mode() & 07777,
                Integer.toUnsignedLong(status.uid()),
                Integer.toUnsignedLong(status.gid()),
                size,
                status.modifiedSeconds(),
                status.modifiedNanos(),
                device ? status.deviceMajor() : 0,
                device ? status.deviceMinor() : 0,
                attributes);
    }

    private Map<String, byte[]> attributes(Descriptor parent, String name) {
        Map<String, byte[]> attributes = new TreeMap<>();
        for (String attribute : files.attributeNamesAt(parent, name)) {
            if (!Overlay.isOverlayAttribute(attribute) && !attribute.equals("security.selinux")) {
                Optional<byte[]> value = files.attributeAt(parent, name, attribute);
                value.ifPresent(present -> attributes.put(attribute, present));
            }
        }
        return attributes;
    }
}
