package io.crema.image.layer;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The unpacked layers below one that is being unpacked, seen as overlayfs will show them merged.
 * Needed where a layer refers to what it does not contain: directories that it leaves out, and
 * targets of hard links.
 */
public final class LowerLayers implements AutoCloseable {
    private static final Set<OpenFlag> DIRECTORY =
            Set.of(OpenFlag.READ_ONLY, OpenFlag.DIRECTORY, OpenFlag.NO_FOLLOW);

    private final LinuxFiles files;
    private final List<Descriptor> roots = new ArrayList<>();

    /**
     * A name in a lower layer.
     *
     * @param directory the directory of the name; closed with this record
     */
    record Found(Descriptor directory, String name, FileStatus status) implements AutoCloseable {
        @Override
        public void close() {
            directory.close();
        }
    }

    /**
     * @param topFirst the layers' directories, from the next lower one downwards, ending with the
     *     first whose root hides all below it
     */
    public LowerLayers(LinuxFiles files, List<Path> topFirst) {
        this.files = files;
        try {
            for (Path directory : topFirst) {
                roots.add(files.open(directory, DIRECTORY, 0));
            }
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    /**
     * Finds a name whose directories are real ones; a link among them counts as absent, because the
     * caller resolves links before it asks.
     */
    Optional<Found> find(String path) {
        List<Descriptor> merged = roots;
        List<Descriptor> opened = List.of();
        int start = 0;
        try {
            while (true) {
                int slash = path.indexOf('/', start);
                if (slash < 0) {
                    return last(merged, path.substring(start));
                }
                merged = descend(merged, path.substring(start, slash));
                opened.forEach(Descriptor::close);
                opened = merged;
                start = slash + 1;
            }
        } finally {
            opened.forEach(Descriptor::close);
        }
    }

    private Optional<Found> last(List<Descriptor> merged, String name) {
        for (Descriptor directory : merged) {
            Optional<FileStatus> status = files.statusAt(directory, name);
            if (status.isPresent()) {
                if (Overlay.isWhiteout(status.get())) {
                    return Optional.empty();
                }
                return Optional.of(
                        new Found(
                                files.openAt(directory, ".", DIRECTORY, 0, Set.of()),
                                name,
                                status.get()));
            }
        }
        return Optional.empty();
    }

    /** The same-named subdirectories that overlayfs would merge. */
    private List<Descriptor> descend(List<Descriptor> merged, String name) {
        List<Descriptor> next = new ArrayList<>();
        try {
            for (Descriptor directory : merged) {
                Optional<FileStatus> status = files.statusAt(directory, name);
                if (status.isEmpty()) {
                    continue;
                }
                if (!status.get().isDirectory()) {
                    break;
                }
                Descriptor child = files.openAt(directory, name, DIRECTORY, 0, Set.of());
                next.add(child);
                if (isOpaque(files, child)) {
                    break;
                }
            }
            return next;
        } catch (RuntimeException e) {
            next.forEach(Descriptor::close);
            throw e;
        }
    }

    static boolean isOpaque(LinuxFiles files, Descriptor directory) {
        return files.attributeAt(directory, ".", Overlay.OPAQUE_ATTRIBUTE)
                .map(value -> value.length == 1 && value[0] == 'y')
                .orElse(false);
    }

    @Override
    public void close() {
        roots.forEach(Descriptor::close);
    }
}
