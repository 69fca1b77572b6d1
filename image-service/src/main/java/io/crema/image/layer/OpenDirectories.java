package io.crema.image.layer;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The directories of a layer that were used last, held open. Making names in a directory changes
 * its modification time; when a directory leaves, it gets back the one it had or was given, so that
 * nothing has to be remembered about the others.
 */
final class OpenDirectories implements AutoCloseable {
    private static final int CAPACITY = 64;
    private static final int SET_GROUP_ID = 02000;

    private final LinuxFiles files;
    private final Map<String, OpenDirectory> byPath = new LinkedHashMap<>(128, 0.75f, true);
    private long grownBlocks512;

    /** One of them. Its path has no symbolic link in it. */
    static final class OpenDirectory {
        private final String path;
        private final Descriptor descriptor;
        private final long blocks512;
        private long modifiedSeconds;
        private int modifiedNanos;
        private boolean givesGroup;
        private int holders;

        private OpenDirectory(String path, Descriptor descriptor, FileStatus status) {
            this.path = path;
            this.descriptor = descriptor;
            this.blocks512 = status.blocks512();
            this.modifiedSeconds = status.modifiedSeconds();
            this.modifiedNanos = status.modifiedNanos();
            this.givesGroup = (status.mode() & SET_GROUP_ID) != 0;
        }

        String path() {
            return path;
        }

        Descriptor descriptor() {
            return descriptor;
        }

        /** Whether new names get this directory's group (and directories its bit). */
        boolean givesGroup() {
            return givesGroup;
        }

        /** The directory's entry came after names in it. */
        void update(int mode, long seconds, int nanos) {
            givesGroup = (mode & SET_GROUP_ID) != 0;
            modifiedSeconds = seconds;
            modifiedNanos = nanos;
        }

        String child(String name) {
            return path.isEmpty() ? name : path + "/" + name;
        }

        /** Keeps it open across other look-ups until {@link #letGo}. */
        void hold() {
            holders++;
        }

        void letGo() {
            holders--;
        }
    }

    OpenDirectories(LinuxFiles files) {
        this.files = files;
    }

    @Nullable OpenDirectory get(String path) {
        return byPath.get(path);
    }

    /** Takes over an open directory. */
    OpenDirectory add(String path, Descriptor descriptor) {
        OpenDirectory directory;
        try {
            directory = new OpenDirectory(path, descriptor, files.status(descriptor));
        } catch (RuntimeException e) {
            descriptor.close();
            throw e;
        }
        byPath.put(path, directory);
        if (byPath.size() > CAPACITY) {
            evict(directory);
        }
        return directory;
    }

    private void evict(OpenDirectory newest) {
        Iterator<OpenDirectory> eldestFirst = byPath.values().iterator();
        while (byPath.size() > CAPACITY && eldestFirst.hasNext()) {
            OpenDirectory directory = eldestFirst.next();
            if (directory != newest && directory.holders == 0) {
                eldestFirst.remove();
                finish(directory);
            }
        }
    }

    /** Forgets a directory and all below it because they are being deleted. */
    void forget(String path) {
        String below = path + "/";
        Iterator<OpenDirectory> all = byPath.values().iterator();
        while (all.hasNext()) {
            OpenDirectory directory = all.next();
            if (directory.path.equals(path) || directory.path.startsWith(below)) {
                all.remove();
                directory.descriptor.close();
            }
        }
    }

    private void finish(OpenDirectory directory) {
        try (Descriptor descriptor = directory.descriptor) {
            grownBlocks512 += files.status(descriptor).blocks512() - directory.blocks512;
            files.changeTimes(descriptor, directory.modifiedSeconds, directory.modifiedNanos);
        }
    }

    /** Lets all leave in good order; returns by how many blocks they grew while they were open. */
    long finishAll() {
        Iterator<OpenDirectory> all = byPath.values().iterator();
        while (all.hasNext()) {
            OpenDirectory directory = all.next();
            all.remove();
            finish(directory);
        }
        return grownBlocks512;
    }

    /** After a failure: closes without a care for times. */
    @Override
    public void close() {
        byPath.values().forEach(directory -> directory.descriptor.close());
        byPath.clear();
    }
}
