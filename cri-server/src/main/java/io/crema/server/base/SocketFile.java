package io.crema.server.base;

import io.crema.base.ErrorKind;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The file of a unix socket: its directory, what an earlier daemon left there, its mode. */
public final class SocketFile {
    private static final String MODE = "rw-rw----";

    private static final Logger LOG = LoggerFactory.getLogger(SocketFile.class);

    private SocketFile() {}

    /**
     * Makes the path free to bind.
     *
     * @param option where the user can choose another path
     * @throws ServerException when a live server answers there, or something else than a socket is
     *     in the way
     */
    public static void makeFree(Path path, String option) {
        try {
            Path directory = path.getParent();
            if (directory != null) {
                Files.createDirectories(directory);
            }
            if (!Files.exists(path, LinkOption.NOFOLLOW_LINKS)) {
                return;
            }
            Object mode = Files.getAttribute(path, "unix:mode", LinkOption.NOFOLLOW_LINKS);
            if (!(mode instanceof Integer bits) || (bits & 0170000) != 0140000) {
                throw new ServerException(
                        ErrorKind.ALREADY_EXISTS,
                        path
                                + " exists and is not a socket; move it away or choose another"
                                + " path with "
                                + option);
            }
            if (answers(path)) {
                throw new ServerException(
                        ErrorKind.ALREADY_EXISTS,
                        "another server answers at "
                                + path
                                + "; stop it or choose another path with "
                                + option);
            }
            Files.delete(path);
        } catch (IOException e) {
            throw new ServerException(
                    ErrorKind.INTERNAL, "cannot prepare the socket " + path + ": " + e, e);
        }
    }

    /** Only root and the socket's group may speak to us. */
    public static void protect(Path path) {
        try {
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(MODE));
        } catch (IOException e) {
            throw new ServerException(
                    ErrorKind.INTERNAL, "cannot set mode 0660 of the socket " + path + ": " + e, e);
        }
    }

    /** A client that comes now hears that nobody is there, rather than waiting. */
    public static void remove(Path path) {
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            LOG.atWarn()
                    .addKeyValue("socket", path)
                    .addKeyValue("error", e)
                    .log("cannot remove the socket");
        }
    }

    private static boolean answers(Path path) {
        try (SocketChannel channel = SocketChannel.open(UnixDomainSocketAddress.of(path))) {
            return channel.isConnected();
        } catch (IOException e) {
            // Connection refused: the file outlived its server.
            return false;
        }
    }
}
