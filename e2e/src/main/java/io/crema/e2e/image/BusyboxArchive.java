package io.crema.e2e.image;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Writes an OCI archive (image-spec, image-layout.md) of one gzip layer with Debian's static
 * busybox and its applets as hard links. The content depends only on the busybox binary, so the
 * image id is stable.
 */
public final class BusyboxArchive {
    /** The applets that the demonstration and the tests use. */
    private static final List<String> APPLETS =
            List.of(
                    "sh",
                    "ls",
                    "cat",
                    "echo",
                    "sleep",
                    "wget",
                    "httpd",
                    "id",
                    "ps",
                    "env",
                    "mkdir",
                    "touch",
                    "hostname",
                    "ip",
                    "nc",
                    "true",
                    "false",
                    "kill",
                    "grep",
                    "head",
                    "tail",
                    "dd",
                    "test",
                    "mount",
                    "umount",
                    "stat",
                    "date",
                    "rm",
                    "cp",
                    "ln",
                    "chmod",
                    "chown",
                    "readlink",
                    "seq",
                    "yes",
                    "pwd",
                    "printf",
                    "df",
                    "du",
                    "timeout",
                    "sync",
                    "ping",
                    "nslookup",
                    "unshare",
                    "mknod",
                    "tr",
                    "wc",
                    "sed",
                    "awk",
                    "sort",
                    "uniq",
                    "uname",
                    "whoami",
                    "tar",
                    "md5sum");

    private BusyboxArchive() {}

    /**
     * @param busybox a statically linked busybox
     * @param reference the name the image gets, such as {@code localhost/crema/busybox:latest}
     * @param command the image's default command
     */
    public static void write(Path busybox, String reference, List<String> command, Path archive)
            throws IOException {
        ImageArchive.writeOci(OciImage.of(command, Layer.of(tar(busybox))), reference, archive);
    }

    /** The layer's plain tar. */
    public static byte[] tar(Path busybox) throws IOException {
        byte[] program = Files.readAllBytes(busybox);
        return TarWriter.archive(tar -> {
            for (String directory :
                    List.of("bin", "etc", "root", "home", "var", "var/www", "usr", "usr/bin")) {
                tar.directory(directory, 0755);
            }
            tar.directory("tmp", 01777);
            tar.file("bin/busybox", program, 0755);
            for (String applet : APPLETS) {
                tar.hardLink("bin/" + applet, "bin/busybox");
            }
            tar.file(
                    "etc/passwd",
                    """
                    root:x:0:0:root:/root:/bin/sh
                    www-data:x:33:33:www-data:/var/www:/bin/false
                    nobody:x:65534:65534:nobody:/home:/bin/false
                    """);
            tar.file(
                    "etc/group",
                    """
                    root:x:0:
                    www-data:x:33:
                    users:x:100:www-data
                    nobody:x:65534:
                    """);
        });
    }

    /** Writes the archive: {@code BusyboxArchive BUSYBOX REFERENCE ARCHIVE [COMMAND...]}. */
    public static void main(String[] arguments) throws IOException {
        List<String> command = List.of(arguments).subList(3, arguments.length);
        write(
                Path.of(arguments[0]),
                arguments[1],
                command.isEmpty() ? List.of("sh") : command,
                Path.of(arguments[2]));
    }
}
