package io.crema.runtime;

import io.crema.base.ContainerId;
import io.crema.base.DurableFile;
import io.crema.base.ErrorKind;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Optional;

/**
 * Where a checkpoint of a container is put together, there only while one is taken. A note in it
 * names the archive that is being written elsewhere, so that a daemon which finds the directory
 * after a crash can delete both.
 */
final class CheckpointDirectory {
    /** Where the image is mounted while its files are compared, below the container's directory. */
    static final Path LOWER = Path.of("checkpoint", "files", "lower");

    private final NodeServices node;
    private final Path directory;

    CheckpointDirectory(NodeServices node, ContainerId container) {
        this.node = node;
        this.directory = node.layout().checkpoint(container);
    }

    boolean exists() {
        return Files.exists(directory, LinkOption.NOFOLLOW_LINKS);
    }

    /** What the archive is made of. */
    Path files() {
        return directory.resolve("files");
    }

    /** CRIU's among these. */
    Path images() {
        return files().resolve(CheckpointFiles.IMAGES);
    }

    private Path note() {
        return directory.resolve("archive");
    }

    /**
     * Makes it anew.
     *
     * @param archive the file that is going to be written, under a name that is not its last
     */
    void make(Path archive) {
        delete();
        makeDirectory(directory);
        try {
            DurableFile.write(note(), archive.toString().getBytes(StandardCharsets.UTF_8));
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL, "cannot note the place of " + archive + ": " + e, e);
        }
        makeDirectory(files());
        makeDirectory(images());
    }

    private static void makeDirectory(Path directory) {
        try {
            Files.createDirectory(
                    directory,
                    PosixFilePermissions.asFileAttribute(
                            PosixFilePermissions.fromString("rwx------")));
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL, "cannot make the directory " + directory + ": " + e, e);
        }
    }

    /** Deletes it and the unfinished archive; does nothing when it is not there. */
    void delete() {
        if (!exists()) {
            return;
        }
        unfinishedArchive().ifPresent(Trees::deleteIfExists);
        Mounts.unmountAll(node.linux(), files().resolve(LOWER.getFileName()));
        Trees.deleteTree(directory);
    }

    private Optional<Path> unfinishedArchive() {
        try {
            return Optional.of(
                    Path.of(new String(Files.readAllBytes(note()), StandardCharsets.UTF_8)));
        } catch (NoSuchFileException e) {
            return Optional.empty(); // made last, or deleted first
        } catch (IOException e) {
            throw new PodException(ErrorKind.INTERNAL, "cannot read " + note() + ": " + e, e);
        }
    }
}
