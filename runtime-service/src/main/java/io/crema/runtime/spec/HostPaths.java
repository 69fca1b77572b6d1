package io.crema.runtime.spec;

import io.crema.base.ErrorKind;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Finds what a mount's or device's host path really is, and makes missing mount sources. */
final class HostPaths {
    private static final Set<PosixFilePermission> DIRECTORY_MODE =
            PosixFilePermissions.fromString("rwxr-xr-x");

    private final Optional<Path> prefix;
    private final List<Path> absentToReject;

    /**
     * @param prefix put before every path, when this daemon sees the host's files elsewhere
     * @param absentToReject paths that are never made, nor anything below them
     */
    HostPaths(Optional<Path> prefix, List<Path> absentToReject) {
        this.prefix = prefix;
        this.absentToReject = absentToReject;
    }

    /** The path without symbolic links; a directory is made when there is nothing. */
    Path mountSource(String field, String hostPath) {
        Path wanted = checked(field, hostPath);
        Path path =
                prefix.map(before -> before.resolve(wanted.getRoot().relativize(wanted)))
                        .orElse(wanted);
        try {
            return path.toRealPath();
        } catch (NoSuchFileException e) {
            for (Path rejected : absentToReject) {
                if (wanted.startsWith(rejected)) {
                    throw new PodException(
                            ErrorKind.FAILED_PRECONDITION,
                            field
                                    + ": "
                                    + hostPath
                                    + " does not exist, and absent_mount_sources_to_reject forbids"
                                    + " making it",
                            e);
                }
            }
            return made(field, path);
        } catch (IOException e) {
            throw unusable(field, path, e);
        }
    }

    private static Path made(String field, Path path) {
        try {
            Files.createDirectories(path);
            Files.setPosixFilePermissions(path, DIRECTORY_MODE); // whatever our umask is
            return path.toRealPath();
        } catch (FileAlreadyExistsException e) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    field
                            + ": "
                            + path
                            + " does not exist and cannot be made: "
                            + e.getFile()
                            + " is a dangling link or not a directory",
                    e);
        } catch (IOException e) {
            throw unusable(field, path, e);
        }
    }

    private static PodException unusable(String field, Path path, IOException e) {
        String reason =
                e instanceof FileSystemException failure && failure.getReason() != null
                        ? failure.getReason()
                        : e.toString();
        return new PodException(
                ErrorKind.FAILED_PRECONDITION, field + ": cannot use " + path + ": " + reason, e);
    }

    static Path checked(String field, String hostPath) {
        if (!hostPath.startsWith("/") || hostPath.indexOf('\0') >= 0) {
            throw PodException.invalid(
                    field + " must be an absolute path, not '" + hostPath.replace('\0', '?') + "'");
        }
        return Path.of(hostPath).normalize();
    }
}
