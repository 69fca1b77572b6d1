package io.crema.runtime;

import io.crema.base.ErrorKind;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import org.jspecify.annotations.Nullable;

/**
 * Makes links and deletes directories of ours; symbolic links in them are deleted, never followed.
 */
final class Trees {
    private Trees() {}

    static void deleteIfExists(Path path) {
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            throw failure(path, e);
        }
    }

    /** Makes a symbolic link. */
    static void link(Path link, Path target) {
        try {
            Files.createSymbolicLink(link, target);
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL,
                    "cannot make the link " + link + " to " + target + ": " + e,
                    e);
        }
    }

    /** Deletes a tree; what vanishes meanwhile is no error. */
    static void deleteTree(Path root) {
        try {
            Files.walkFileTree(
                    root,
                    new SimpleFileVisitor<>() {
                        @Override
                        public FileVisitResult visitFile(Path file, BasicFileAttributes attributes)
                                throws IOException {
                            Files.deleteIfExists(file);
                            return FileVisitResult.CONTINUE;
                        }

                        @Override
                        public FileVisitResult visitFileFailed(Path file, IOException e)
                                throws IOException {
                            if (e instanceof NoSuchFileException) {
                                return FileVisitResult.CONTINUE;
                            }
                            throw e;
                        }

                        @Override
                        public FileVisitResult postVisitDirectory(
                                Path directory, @Nullable IOException e) throws IOException {
                            if (e != null) {
                                throw e;
                            }
                            Files.deleteIfExists(directory);
                            return FileVisitResult.CONTINUE;
                        }
                    });
        } catch (IOException e) {
            throw failure(root, e);
        }
    }

    private static PodException failure(Path path, IOException e) {
        return new PodException(ErrorKind.INTERNAL, "cannot delete " + path + ": " + e, e);
    }
}
