package io.crema.image.layer;

import static io.crema.image.layer.TarReader.shown;

import io.crema.image.layer.LowerLayers.Found;
import io.crema.image.layer.OpenDirectories.OpenDirectory;
import io.crema.image.layer.TarEntry.Kind;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Makes the files of one layer beneath a directory, as overlayfs wants to find them. Every call
 * names a single component below an open directory, and links among a path's directories are
 * followed by hand inside the root: no entry can reach anything else.
 *
 * <p>The result is what applying the layer on top of its parents would change, so entries that lean
 * on what is not in the layer look it up there: directories that the archive leaves out get the
 * owner, permissions and attributes of the parents' directory (or lead through the parents'
 * symbolic link), and a hard link to a parent's file copies that file first. Such a layer
 * {@linkplain Totals#dependsOnPosition belongs to its place} in the image.
 */
final class LayerWriter implements AutoCloseable {
    private static final Set<OpenFlag> NEW_FILE =
            Set.of(OpenFlag.WRITE_ONLY, OpenFlag.CREATE, OpenFlag.EXCLUSIVE, OpenFlag.NO_FOLLOW);
    private static final Set<OpenFlag> DIRECTORY =
            Set.of(OpenFlag.READ_ONLY, OpenFlag.DIRECTORY, OpenFlag.NO_FOLLOW);
    private static final Set<OpenFlag> OLD_FILE =
            Set.of(OpenFlag.READ_ONLY, OpenFlag.NO_FOLLOW, OpenFlag.NON_BLOCKING);
    private static final int CHARACTER_DEVICE = 0020000;
    private static final int BLOCK_DEVICE = 0060000;
    private static final int FIFO = 0010000;
    private static final int PERMISSION_BITS = 0777;
    private static final int DEFAULT_DIRECTORY_MODE = 0755;
    private static final int MAX_LINKS_FOLLOWED = 40;
    private static final int COPY_BYTES = 128 << 10;

    /** Shorter targets lie in the inode on all common file systems. */
    private static final int INLINE_LINK_BYTES = 60;

    /** A POSIX ACL that new names in the directory inherit, so it must come last. */
    private static final String DEFAULT_ACL = "system.posix_acl_default";

    /** Security labels of the machine that made the layer; this machine gives its own. */
    private static final String LABEL = "security.selinux";

    private static final String CAPABILITY = "security.capability";

    /** Waits until the layers below are unpacked. */
    interface Below {
        /** Whether this is the lowest layer. */
        boolean isEmpty();

        LowerLayers open() throws IOException;
    }

    /**
     * What came of a layer.
     *
     * @param allocatedBytes what the files occupy on disk, from their block counts
     * @param dependsOnPosition whether the files would differ above other parents
     * @param rootGiven whether the layer had an entry for the root itself
     * @param hidesAllBelow whether the layer says that nothing of its parents remains
     * @param droppedAttributes extended attributes that this file system cannot hold
     */
    record Totals(
            long allocatedBytes,
            long inodes,
            boolean dependsOnPosition,
            boolean rootGiven,
            boolean hidesAllBelow,
            int droppedAttributes) {}

    private final LinuxFiles files;
    private final Below below;
    private final OpenDirectories directories;
    private final OpenDirectory root;
    private final TreeRemoval removal;
    private final long ownUid;
    private final long ownGid;
    private final int maskedBits;
    private final long emptyDirectoryBlocks;
    private final Deque<DeferredAttribute> defaultAcls = new ArrayDeque<>();

    private @Nullable LowerLayers lower;
    private long blocks512;
    private long inodes = 1;
    private boolean recount;
    private boolean dependsOnPosition;
    private boolean rootGiven;
    private boolean hidesAllBelow;
    private int droppedAttributes;

    /** The block size of ext4 and xfs wherever they are not told otherwise. */
    private static final long PAGE_BYTES = 4096;

    private record DeferredAttribute(String path, byte[] value) {}

    /**
     * @param rootDirectory the empty directory to fill; taken over
     * @param umask of this process: permission bits that the kernel takes from new files
     */
    LayerWriter(LinuxFiles files, Descriptor rootDirectory, int umask, Below below) {
        this.files = files;
        this.below = below;
        this.directories = new OpenDirectories(files);
        this.removal = new TreeRemoval(files);
        FileStatus status = files.status(rootDirectory);
        this.ownUid = Integer.toUnsignedLong(status.uid());
        this.ownGid = Integer.toUnsignedLong(status.gid());
        this.maskedBits = umask;
        this.emptyDirectoryBlocks = status.blocks512();
        this.blocks512 = emptyDirectoryBlocks;
        this.root = directories.add("", rootDirectory);
        root.hold();
        // The root that the archive does not mention has a time that depends on nothing.
        root.update(DEFAULT_DIRECTORY_MODE, 0, 0);
    }

    /**
     * Makes one entry.
     *
     * @param content gives the entry's bytes, if it has any
     * @throws DamagedLayerException when the entry asks for what no layer may have
     * @throws LinuxException when the kernel refuses
     */
    void write(TarEntry entry, TarReader content) throws IOException {
        String path = entry.path();
        if (path.isEmpty()) {
            writeRoot(entry);
            return;
        }
        String name = entry.name();
        String parent = entry.parent();
        if (!name.equals(Overlay.OPAQUE_MARKER) && path.startsWith(Overlay.AUFS_PREFIX)) {
            return;
        }
        if (parent.startsWith(Overlay.WHITEOUT_PREFIX)
                || parent.contains("/" + Overlay.WHITEOUT_PREFIX)) {
            throw new DamagedLayerException("it lies below a whiteout");
        }
        if (name.equals(Overlay.OPAQUE_MARKER)) {
            hideBelow(directory(parent));
        } else if (name.startsWith(Overlay.WHITEOUT_PREFIX)) {
            whiteOut(parent, name.substring(Overlay.WHITEOUT_PREFIX.length()));
        } else {
            switch (entry.type()) {
                case REGULAR_FILE -> writeFile(directory(parent), name, entry, content);
                case DIRECTORY -> writeDirectory(directory(parent), name, entry);
                case HARD_LINK -> writeHardLink(parent, name, entry);
                case SYMBOLIC_LINK -> writeSymbolicLink(directory(parent), name, entry);
                case CHARACTER_DEVICE, BLOCK_DEVICE, FIFO ->
                        writeNode(directory(parent), name, entry);
            }
        }
    }

    /** All entries are there: directories get their times, and the sums are known. */
    Totals finish() throws IOException {
        for (DeferredAttribute acl : defaultAcls) {
            setAttribute(directory(acl.path).descriptor(), null, DEFAULT_ACL, acl.value);
        }
        root.letGo();
        blocks512 += directories.finishAll();
        return new Totals(
                blocks512 * 512,
                inodes,
                dependsOnPosition,
                rootGiven,
                hidesAllBelow,
                droppedAttributes);
    }

    /** Whether entries replaced others, so that the sums count what is not there any more. */
    boolean needsRecount() {
        return recount;
    }

    @Override
    public void close() {
        directories.close();
        if (lower != null) {
            lower.close();
        }
    }

    // ---- entries by type ----

    private void writeRoot(TarEntry entry) throws IOException {
        if (entry.type() != Kind.DIRECTORY) {
            throw new DamagedLayerException("it would replace the root directory");
        }
        Descriptor descriptor = root.descriptor();
        files.changeOwner(descriptor, (int) entry.uid(), (int) entry.gid());
        files.changeMode(descriptor, entry.mode());
        setAttributes(descriptor, null, "", entry.attributes(), Kind.DIRECTORY);
        root.update(entry.mode(), entry.modifiedSeconds(), entry.modifiedNanos());
        rootGiven = true;
    }

    private void writeFile(OpenDirectory parent, String name, TarEntry entry, TarReader content)
            throws IOException {
        Descriptor opened;
        try {
            opened = newFile(parent, name, entry.mode());
        } catch (LinuxException e) {
            if (!e.errno().is(Errno.EEXIST)) {
                throw e;
            }
            removeExisting(parent, name);
            opened = newFile(parent, name, entry.mode());
        }
        try (Descriptor descriptor = opened) {
            if (entry.isSparse()) {
                writeFragments(descriptor, entry, content);
            } else {
                ByteBuffer piece = content.content();
                while (piece != null) {
                    files.write(descriptor, piece);
                    piece = content.content();
                }
            }
            boolean chown = isForeign(entry.uid(), entry.gid(), parent);
            if (chown) {
                files.changeOwner(descriptor, (int) entry.uid(), (int) entry.gid());
            }
            if (needsMode(entry.mode(), parent)) {
                files.changeMode(descriptor, entry.mode());
            }
            setAttributes(descriptor, null, entry.path(), entry.attributes(), Kind.REGULAR_FILE);
            files.changeTimes(descriptor, entry.modifiedSeconds(), entry.modifiedNanos());
            if (entry.sizeBytes() > 0) {
                blocks512 += lastingBlocks(files.status(descriptor));
            }
        }
        inodes++;
    }

    /**
     * What a file will occupy once it is closed. While it grows, xfs holds blocks beyond its end in
     * store, which an open file's count includes.
     */
    private static long lastingBlocks(FileStatus file) {
        long pages = (file.size() + PAGE_BYTES - 1) / PAGE_BYTES;
        return Math.min(file.blocks512(), pages * (PAGE_BYTES / 512));
    }

    private Descriptor newFile(OpenDirectory parent, String name, int mode) {
        return files.openAt(parent.descriptor(), name, NEW_FILE, mode & PERMISSION_BITS, Set.of());
    }

    private void writeFragments(Descriptor descriptor, TarEntry entry, TarReader content)
            throws IOException {
        long[] fragments = entry.fragments();
        ByteBuffer piece = null;
        for (int i = 0; i < fragments.length; i += 2) {
            long left = fragments[i + 1];
            if (left > 0) {
                files.seek(descriptor, fragments[i]);
            }
            while (left > 0) {
                if (piece == null || !piece.hasRemaining()) {
                    piece = content.content();
                    if (piece == null) {
                        throw new DamagedLayerException("its content is too short");
                    }
                }
                int length = (int) Math.min(left, piece.remaining());
                ByteBuffer slice = piece.slice(piece.position(), length);
                files.write(descriptor, slice);
                piece.position(piece.position() + length);
                left -= length;
            }
        }
        files.truncate(descriptor, entry.sizeBytes());
    }

    private void writeDirectory(OpenDirectory parent, String name, TarEntry entry)
            throws IOException {
        String path = parent.child(name);
        boolean hides = false;
        try {
            files.makeDirectoryAt(parent.descriptor(), name, entry.mode() & PERMISSION_BITS);
            countDirectory();
        } catch (LinuxException e) {
            if (!e.errno().is(Errno.EEXIST)) {
                throw e;
            }
            hides = becomeDirectory(parent, name, entry.mode());
        }
        Descriptor at = parent.descriptor();
        OpenDirectory open = directories.get(path);
        if (isForeign(entry.uid(), entry.gid(), parent) || open != null) {
            files.changeOwnerAt(at, name, (int) entry.uid(), (int) entry.gid());
        }
        if (needsMode(entry.mode(), parent) || open != null) {
            files.changeModeAt(at, name, entry.mode());
        }
        setAttributes(at, name, path, entry.attributes(), Kind.DIRECTORY);
        if (hides) {
            makeOpaque(at, name);
        }
        files.changeTimesAt(at, name, entry.modifiedSeconds(), entry.modifiedNanos());
        if (open != null) {
            open.update(entry.mode(), entry.modifiedSeconds(), entry.modifiedNanos());
        }
    }

    /**
     * A directory's entry meets something of that name.
     *
     * @return whether it replaced something, so that it must hide what the parents have there
     */
    private boolean becomeDirectory(OpenDirectory parent, String name, int mode) {
        Descriptor at = parent.descriptor();
        FileStatus status = existing(at, name);
        if (status.isDirectory()) {
            // Made by an entry below it or by an earlier entry of its own: takes the new owner and
            // permissions whatever they were.
            if ((status.mode() & 07777) != mode) {
                files.changeModeAt(at, name, mode);
            }
            files.changeOwnerAt(at, name, (int) ownUid, (int) ownGid);
            return false;
        }
        removeExisting(parent, name);
        files.makeDirectoryAt(at, name, mode & PERMISSION_BITS);
        countDirectory();
        return true;
    }

    private void writeSymbolicLink(OpenDirectory parent, String name, TarEntry entry)
            throws IOException {
        Descriptor at = parent.descriptor();
        makeOver(parent, name, () -> files.symbolicLinkAt(entry.linkTarget(), at, name));
        if (isForeign(entry.uid(), entry.gid(), parent)) {
            files.changeOwnerAt(at, name, (int) entry.uid(), (int) entry.gid());
        }
        setAttributes(at, name, entry.path(), entry.attributes(), Kind.SYMBOLIC_LINK);
        files.changeTimesAt(at, name, entry.modifiedSeconds(), entry.modifiedNanos());
        if (entry.linkTarget().length() >= INLINE_LINK_BYTES) {
            blocks512 += existing(at, name).blocks512();
        }
        inodes++;
    }

    private void writeNode(OpenDirectory parent, String name, TarEntry entry) throws IOException {
        int kind =
                switch (entry.type()) {
                    case CHARACTER_DEVICE -> CHARACTER_DEVICE;
                    case BLOCK_DEVICE -> BLOCK_DEVICE;
                    case FIFO, REGULAR_FILE, DIRECTORY, HARD_LINK, SYMBOLIC_LINK -> FIFO;
                };
        if (kind == CHARACTER_DEVICE && entry.deviceMajor() == 0 && entry.deviceMinor() == 0) {
            throw new DamagedLayerException(
                    "it is the character device 0:0, which would hide a file of a lower layer");
        }
        Descriptor at = parent.descriptor();
        makeOver(
                parent,
                name,
                () ->
                        files.makeNodeAt(
                                at,
                                name,
                                kind | (entry.mode() & PERMISSION_BITS),
                                entry.deviceMajor(),
                                entry.deviceMinor()));
        if (isForeign(entry.uid(), entry.gid(), parent)) {
            files.changeOwnerAt(at, name, (int) entry.uid(), (int) entry.gid());
        }
        if (needsMode(entry.mode(), parent)) {
            files.changeModeAt(at, name, entry.mode());
        }
        setAttributes(at, name, entry.path(), entry.attributes(), entry.type());
        files.changeTimesAt(at, name, entry.modifiedSeconds(), entry.modifiedNanos());
        inodes++;
    }

    private void writeHardLink(String parent, String name, TarEntry entry) throws IOException {
        String target = entry.linkTarget();
        if (target.isEmpty()) {
            throw new DamagedLayerException("it is a hard link to the root directory");
        }
        int slash = target.lastIndexOf('/');
        String targetName = target.substring(slash + 1);
        OpenDirectory from = directory(slash < 0 ? "" : target.substring(0, slash));
        from.hold();
        try {
            OpenDirectory to = directory(parent);
            if (to == from && targetName.equals(name)) {
                throw new DamagedLayerException("it is a hard link to itself");
            }
            String replaced = to.child(name);
            if (from.path().equals(replaced) || from.path().startsWith(replaced + "/")) {
                throw new DamagedLayerException("it would replace the directory of its target");
            }
            Optional<FileStatus> status = files.statusAt(from.descriptor(), targetName);
            if (status.isEmpty()) {
                copyUp(from, targetName, target);
            } else if (status.get().isDirectory() || Overlay.isWhiteout(status.get())) {
                throw new DamagedLayerException(
                        "it is a hard link to '"
                                + shown(target)
                                + "', which "
                                + (status.get().isDirectory()
                                        ? "is a directory"
                                        : "this layer removes"));
            }
            to.hold();
            try {
                makeOver(
                        to,
                        name,
                        () -> files.linkAt(from.descriptor(), targetName, to.descriptor(), name));
            } finally {
                to.letGo();
            }
        } finally {
            from.letGo();
        }
    }

    // ---- what hides lower layers ----

    private void whiteOut(String parent, String name) throws IOException {
        if (name.isEmpty() || name.equals(".") || name.equals("..")) {
            throw new DamagedLayerException("it would remove '" + name + "'");
        }
        OpenDirectory directory = directory(parent);
        if (below.isEmpty()) {
            // Nothing to hide; a whiteout in the lowest layer would only show as a broken name.
            dependsOnPosition = true;
            return;
        }
        Descriptor at = directory.descriptor();
        Optional<FileStatus> status = files.statusAt(at, name);
        if (status.isPresent()) {
            // Whiteouts hide what is below and never what their own layer brings.
            if (status.get().isDirectory()) {
                hideBelow(directory(directory.child(name)));
            }
            return;
        }
        if (hidesBelow(directory)) {
            return;
        }
        files.makeNodeAt(at, name, CHARACTER_DEVICE, 0, 0);
        inodes++;
    }

    /** Makes a directory show nothing of its parents' directories. */
    private void hideBelow(OpenDirectory directory) {
        if (below.isEmpty()) {
            dependsOnPosition = true;
            return;
        }
        if (directory == root) {
            hidesAllBelow = true;
        } else {
            files.setAttribute(directory.descriptor(), Overlay.OPAQUE_ATTRIBUTE, Overlay.yes());
        }
        inodes -= removal.removeWhiteouts(directory.descriptor());
    }

    private void makeOpaque(Descriptor at, String name) {
        if (below.isEmpty()) {
            dependsOnPosition = true;
        } else {
            files.setAttributeAt(at, name, Overlay.OPAQUE_ATTRIBUTE, Overlay.yes());
        }
    }

    /** Whether nothing of the parents shows in a directory, by its own mark or one above it. */
    private boolean hidesBelow(OpenDirectory directory) throws IOException {
        if (hidesAllBelow) {
            return true;
        }
        directory.hold();
        try {
            String path = directory.path();
            while (!path.isEmpty()) {
                if (LowerLayers.isOpaque(files, directory(path).descriptor())) {
                    return true;
                }
                path = path.substring(0, Math.max(0, path.lastIndexOf('/')));
            }
            return false;
        } finally {
            directory.letGo();
        }
    }

    // ---- directories ----

    /** The open directory of an entry's path; makes those that are missing. */
    private OpenDirectory directory(String path) throws IOException {
        OpenDirectory open = directories.get(path);
        return open != null ? open : walk(path);
    }

    private OpenDirectory walk(String path) throws IOException {
        Deque<String> ahead = new ArrayDeque<>();
        pushComponents(ahead, path);
        OpenDirectory at = root;
        int linksFollowed = 0;
        while (!ahead.isEmpty()) {
            String name = ahead.pop();
            if (name.equals("..")) {
                if (at == root) {
                    throw new DamagedLayerException("its path leads out of the root by a link");
                }
                int slash = at.path().lastIndexOf('/');
                at = directory(slash < 0 ? "" : at.path().substring(0, slash));
                continue;
            }
            OpenDirectory next = directories.get(at.child(name));
            if (next == null) {
                String link = null;
                try {
                    next =
                            directories.add(
                                    at.child(name),
                                    files.openAt(at.descriptor(), name, DIRECTORY, 0, Set.of()));
                } catch (LinuxException e) {
                    if (e.errno().is(Errno.ENOENT)) {
                        link = linkBelowOrNewDirectory(at, name);
                    } else if (e.errno().is(Errno.ENOTDIR) || e.errno().is(Errno.ELOOP)) {
                        link = linkOrReplacedWhiteout(at, name);
                    } else {
                        throw e;
                    }
                }
                if (link != null) {
                    if (++linksFollowed > MAX_LINKS_FOLLOWED) {
                        throw new DamagedLayerException("its path has too many symbolic links");
                    }
                    pushComponents(ahead, link);
                    if (link.startsWith("/")) {
                        at = root;
                    }
                    continue;
                }
                if (next == null) {
                    next = openChild(at, name);
                }
            }
            at = next;
        }
        return at;
    }

    private OpenDirectory openChild(OpenDirectory parent, String name) {
        return directories.add(
                parent.child(name),
                files.openAt(parent.descriptor(), name, DIRECTORY, 0, Set.of()));
    }

    private static void pushComponents(Deque<String> ahead, String path) {
        int end = path.length();
        while (end > 0) {
            int slash = path.lastIndexOf('/', end - 1);
            String name = path.substring(slash + 1, end);
            if (!name.isEmpty() && !name.equals(".")) {
                ahead.push(name);
            }
            end = slash;
        }
    }

    /**
     * A directory that is not in this layer (so far): makes it like the parents', or returns the
     * target when it is a symbolic link there.
     */
    private @Nullable String linkBelowOrNewDirectory(OpenDirectory at, String name)
            throws IOException {
        dependsOnPosition = true;
        if (!below.isEmpty() && !hidesBelow(at)) {
            try (Found found = lower().find(at.child(name)).orElse(null)) {
                if (found != null && found.status().isSymbolicLink()) {
                    return files.readLinkAt(found.directory(), found.name());
                }
                if (found != null && found.status().isDirectory()) {
                    makeLike(at, name, found);
                    return null;
                }
            }
        }
        files.makeDirectoryAt(at.descriptor(), name, DEFAULT_DIRECTORY_MODE);
        countDirectory();
        files.changeModeAt(at.descriptor(), name, DEFAULT_DIRECTORY_MODE);
        files.changeOwnerAt(at.descriptor(), name, (int) ownUid, (int) ownGid);
        files.changeTimesAt(at.descriptor(), name, 0, 0);
        return null;
    }

    /** Something that is no directory stands in an entry's path. */
    private @Nullable String linkOrReplacedWhiteout(OpenDirectory at, String name)
            throws IOException {
        FileStatus status = existing(at.descriptor(), name);
        if (status.isSymbolicLink()) {
            return files.readLinkAt(at.descriptor(), name);
        }
        if (!Overlay.isWhiteout(status)) {
            throw new DamagedLayerException(
                    "'" + shown(at.child(name)) + "' above it is not a directory");
        }
        files.unlinkAt(at.descriptor(), name, false);
        inodes--;
        files.makeDirectoryAt(at.descriptor(), name, DEFAULT_DIRECTORY_MODE);
        countDirectory();
        files.changeModeAt(at.descriptor(), name, DEFAULT_DIRECTORY_MODE);
        makeOpaque(at.descriptor(), name);
        files.changeTimesAt(at.descriptor(), name, 0, 0);
        return null;
    }

    private void makeLike(OpenDirectory at, String name, Found found) throws IOException {
        FileStatus status = found.status();
        files.makeDirectoryAt(at.descriptor(), name, status.mode() & PERMISSION_BITS);
        countDirectory();
        copyMetadata(found, at, name);
    }

    private void countDirectory() {
        blocks512 += emptyDirectoryBlocks;
        inodes++;
    }

    // ---- copies of what is below ----

    private LowerLayers lower() throws IOException {
        if (lower == null) {
            lower = below.open();
        }
        return lower;
    }

    /** Brings a file of the parents into this layer, so that it can be linked to. */
    private void copyUp(OpenDirectory to, String name, String target) throws IOException {
        dependsOnPosition = true;
        if (below.isEmpty() || hidesBelow(to)) {
            throw missingTarget(target);
        }
        try (Found found = lower().find(to.child(name)).orElse(null)) {
            if (found == null) {
                throw missingTarget(target);
            }
            FileStatus status = found.status();
            Descriptor at = to.descriptor();
            if (status.isDirectory()) {
                throw new DamagedLayerException(
                        "it is a hard link to '" + shown(target) + "', which is a directory");
            } else if (status.isRegularFile()) {
                copyContent(found, at, name);
            } else if (status.isSymbolicLink()) {
                files.symbolicLinkAt(files.readLinkAt(found.directory(), found.name()), at, name);
            } else {
                files.makeNodeAt(
                        at, name, status.mode(), status.deviceMajor(), status.deviceMinor());
            }
            copyMetadata(found, to, name);
            blocks512 += existing(at, name).blocks512();
            inodes++;
        }
    }

    private static DamagedLayerException missingTarget(String target) {
        return new DamagedLayerException(
                "it is a hard link to '"
                        + shown(target)
                        + "', which is neither in this layer before it nor in the layers below");
    }

    private void copyContent(Found found, Descriptor at, String name) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(COPY_BYTES);
        try (Descriptor from =
                        files.openAt(found.directory(), found.name(), OLD_FILE, 0, Set.of());
                Descriptor to = files.openAt(at, name, NEW_FILE, 0600, Set.of())) {
            while (files.read(from, buffer.clear()) > 0) {
                files.write(to, buffer.flip());
            }
        }
    }

    private void copyMetadata(Found found, OpenDirectory to, String name) {
        FileStatus status = found.status();
        Descriptor at = to.descriptor();
        files.changeOwnerAt(at, name, status.uid(), status.gid());
        if (!status.isSymbolicLink()) {
            files.changeModeAt(at, name, status.mode() & 07777);
        }
        if (!status.isSymbolicLink()) {
            for (String attribute : files.attributeNamesAt(found.directory(), found.name())) {
                byte[] value =
                        files.attributeAt(found.directory(), found.name(), attribute).orElse(null);
                if (value == null
                        || Overlay.isOverlayAttribute(attribute)
                        || attribute.equals(LABEL)) {
                    continue;
                }
                if (attribute.equals(DEFAULT_ACL)) {
                    defaultAcls.add(new DeferredAttribute(to.child(name), value));
                } else {
                    files.setAttributeAt(at, name, attribute, value);
                }
            }
        }
        files.changeTimesAt(at, name, status.modifiedSeconds(), status.modifiedNanos());
    }

    // ---- owner, permissions, attributes ----

    private boolean isForeign(long uid, long gid, OpenDirectory parent) {
        return uid != ownUid || gid != ownGid || parent.givesGroup();
    }

    private boolean needsMode(int mode, OpenDirectory parent) {
        return (mode & maskedBits) != 0 || mode > PERMISSION_BITS || parent.givesGroup();
    }

    /**
     * @param name null for the descriptor itself
     */
    private void setAttributes(
            Descriptor at,
            @Nullable String name,
            String path,
            Map<String, byte[]> attributes,
            Kind type)
            throws DamagedLayerException {
        if (attributes.isEmpty()) {
            return;
        }
        for (Map.Entry<String, byte[]> attribute : attributes.entrySet()) {
            String key = attribute.getKey();
            if (Overlay.isOverlayAttribute(key) || key.equals(LABEL)) {
                droppedAttributes++;
            } else if (key.equals(DEFAULT_ACL) && type == Kind.DIRECTORY) {
                defaultAcls.add(new DeferredAttribute(path, attribute.getValue()));
            } else {
                setAttribute(at, name, key, attribute.getValue());
            }
        }
    }

    private void setAttribute(Descriptor at, @Nullable String name, String key, byte[] value)
            throws DamagedLayerException {
        try {
            if (name == null) {
                files.setAttribute(at, key, value);
            } else {
                files.setAttributeAt(at, name, key, value);
            }
        } catch (LinuxException e) {
            // User attributes are possible on files and directories only, and some file systems
            // have
            // none at all; such a layer still works. Without its capabilities a program would not.
            boolean unsupported =
                    e.errno().is(Errno.EOPNOTSUPP)
                            || (e.errno().is(Errno.EPERM) && key.startsWith("user."));
            if (!unsupported || key.equals(CAPABILITY)) {
                throw new DamagedLayerException(
                        "its extended attribute '"
                                + shown(key)
                                + "' cannot be set: "
                                + e.getMessage(),
                        e);
            }
            droppedAttributes++;
        }
    }

    // ---- names in the way ----

    private interface Make {
        void run();
    }

    /** Makes a name; what has it already is deleted. */
    private void makeOver(OpenDirectory parent, String name, Make make) {
        try {
            make.run();
        } catch (LinuxException e) {
            if (!e.errno().is(Errno.EEXIST)) {
                throw e;
            }
            removeExisting(parent, name);
            make.run();
        }
    }

    private void removeExisting(OpenDirectory parent, String name) {
        String path = parent.child(name);
        directories.forget(path);
        defaultAcls.removeIf(acl -> acl.path.equals(path) || acl.path.startsWith(path + "/"));
        removal.remove(parent.descriptor(), name);
        recount = true;
    }

    private FileStatus existing(Descriptor at, String name) {
        return files.statusAt(at, name)
                .orElseThrow(
                        () -> new LinuxException("fstatat", at + ", '" + name + "'", Errno.ENOENT));
    }
}
