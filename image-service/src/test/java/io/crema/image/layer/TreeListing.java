package io.crema.image.layer;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** Everything that can be told of a tree, one line for each name, for comparisons. */
public final class TreeListing {
    private final LinuxFiles files;
    private final boolean withDirectoryTimes;
    private final Map<String, String> lines = new TreeMap<>();
    private final Map<Long, List<String>> namesByInode = new HashMap<>();

    private TreeListing(LinuxFiles files, boolean withDirectoryTimes) {
        this.files = files;
        this.withDirectoryTimes = withDirectoryTimes;
    }

    public static Map<String, String> of(LinuxFiles files, Path root) {
        return of(files, root, true);
    }

    public static Map<String, String> of(LinuxFiles files, Path root, boolean withDirectoryTimes) {
        TreeListing listing = new TreeListing(files, withDirectoryTimes);
        try (Descriptor directory =
                files.open(root, Set.of(OpenFlag.READ_ONLY, OpenFlag.DIRECTORY), 0)) {
            listing.children(directory, "");
        }
        // A link count alone says little: other names may be hidden or outside.
        for (List<String> names : listing.namesByInode.values()) {
            for (String name : names) {
                if (names.size() > 1) {
                    listing.lines.merge(name, " same as " + names.getFirst(), String::concat);
                }
            }
        }
        return listing.lines;
    }

    /** The lines in which two listings differ. */
    public static List<String> differences(
            Map<String, String> expected, Map<String, String> found) {
        List<String> differences = new ArrayList<>();
        Set<String> names = new TreeSet<>(expected.keySet());
        names.addAll(found.keySet());
        for (String name : names) {
            String is = found.get(name);
            String should = expected.get(name);
            if (!Objects.equals(is, should)) {
                differences.add(name + ": expected " + should + ", found " + is);
            }
        }
        return differences;
    }

    private void children(Descriptor directory, String prefix) {
        for (String name : files.list(directory).stream().sorted().toList()) {
            FileStatus status = files.statusAt(directory, name).orElseThrow();
            lines.put(prefix + name, line(directory, name, prefix + name, status));
            if (status.isDirectory()) {
                try (Descriptor child =
                        files.openAt(
                                directory,
                                name,
                                Set.of(OpenFlag.READ_ONLY, OpenFlag.DIRECTORY),
                                0,
                                Set.of())) {
                    children(child, prefix + name + "/");
                }
            }
        }
    }

    private String line(Descriptor directory, String name, String path, FileStatus status) {
        StringBuilder line = new StringBuilder(Integer.toOctalString(status.mode()));
        line.append(' ').append(Integer.toUnsignedString(status.uid()));
        line.append(':').append(Integer.toUnsignedString(status.gid()));
        if (!status.isDirectory() || withDirectoryTimes) {
            line.append(' ').append(status.modifiedSeconds());
            line.append('.').append(status.modifiedNanos());
        }
        if (status.isCharacterDevice() || status.isBlockDevice()) {
            line.append(" device ").append(status.deviceMajor());
            line.append(':').append(status.deviceMinor());
        }
        if (status.isSymbolicLink()) {
            line.append(" -> ").append(files.readLinkAt(directory, name));
        } else {
            List<String> attributes =
                    files.attributeNamesAt(directory, name).stream().sorted().toList();
            for (String attribute : attributes) {
                line.append(' ').append(attribute).append('=');
                line.append(
                        HexFormat.of()
                                .formatHex(
                                        files.attributeAt(directory, name, attribute)
                                                .orElseThrow()));
            }
            if (status.isRegularFile()) {
                line.append(' ').append(status.size()).append(' ').append(hash(directory, name));
            }
        }
        if (!status.isDirectory() && status.linkCount() > 1) {
            namesByInode.computeIfAbsent(status.inode(), inode -> new ArrayList<>()).add(path);
        }
        return line.toString();
    }

    private String hash(Descriptor directory, String name) {
        ContentHash hash = ContentHash.sha256();
        ByteBuffer buffer = ByteBuffer.allocateDirect(64 << 10);
        try (Descriptor file =
                files.openAt(directory, name, Set.of(OpenFlag.READ_ONLY), 0, Set.of())) {
            while (files.read(file, buffer.clear()) > 0) {
                hash.update(buffer.flip());
            }
        }
        return hash.digest().hex().substring(0, 16);
    }
}
