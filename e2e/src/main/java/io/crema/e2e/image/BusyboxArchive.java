package io.crema.e2e.image;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.GZIPOutputStream;

/**
 * Writes an OCI archive (image-spec, image-layout.md) of one gzip layer with Debian's static
 * busybox and its applets as hard links. The content depends only on the busybox binary, so the
 * image id is stable.
 */
public final class BusyboxArchive {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int BLOCK = 512;

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
                    "uname",
                    "whoami");

    private BusyboxArchive() {}

    /**
     * @param busybox a statically linked busybox
     * @param reference the name the image gets, such as {@code localhost/crema/busybox:latest}
     * @param command the image's default command
     */
    public static void write(Path busybox, String reference, List<String> command, Path archive)
            throws IOException {
        byte[] layer = layer(Files.readAllBytes(busybox));
        byte[] compressed = gzip(layer);
        Map<String, byte[]> blobs = new TreeMap<>();
        String layerDigest = put(blobs, compressed);
        byte[] config =
                JSON.writeValueAsBytes(
                        ordered(
                                "architecture",
                                architecture(),
                                "config",
                                ordered(
                                        "Cmd",
                                        command,
                                        "Env",
                                        List.of(
                                                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")),
                                "created",
                                "1970-01-01T00:00:00Z",
                                "os",
                                "linux",
                                "rootfs",
                                ordered(
                                        "diff_ids",
                                        List.of("sha256:" + sha256(layer)),
                                        "type",
                                        "layers")));
        String configDigest = put(blobs, config);
        byte[] manifest =
                JSON.writeValueAsBytes(
                        ordered(
                                "config",
                                descriptor(
                                        "application/vnd.oci.image.config.v1+json",
                                        configDigest,
                                        config),
                                "layers",
                                List.of(
                                        descriptor(
                                                "application/vnd.oci.image.layer.v1.tar+gzip",
                                                layerDigest,
                                                compressed)),
                                "mediaType",
                                "application/vnd.oci.image.manifest.v1+json",
                                "schemaVersion",
                                2));
        String manifestDigest = put(blobs, manifest);
        Map<String, Object> entry =
                descriptor("application/vnd.oci.image.manifest.v1+json", manifestDigest, manifest);
        entry.put("annotations", ordered("org.opencontainers.image.ref.name", reference));
        entry.put("platform", ordered("architecture", architecture(), "os", "linux"));
        byte[] index =
                JSON.writeValueAsBytes(ordered("manifests", List.of(entry), "schemaVersion", 2));
        try (OutputStream out = Files.newOutputStream(archive)) {
            file(
                    out,
                    "oci-layout",
                    "{\"imageLayoutVersion\":\"1.0.0\"}".getBytes(StandardCharsets.UTF_8),
                    0644);
            file(out, "index.json", index, 0644);
            for (Map.Entry<String, byte[]> blob : blobs.entrySet()) {
                file(out, "blobs/sha256/" + blob.getKey(), blob.getValue(), 0644);
            }
            out.write(new byte[2 * BLOCK]);
        }
    }

    private static byte[] layer(byte[] busybox) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        for (String directory :
                List.of("bin/", "etc/", "root/", "home/", "var/", "var/www/", "usr/", "usr/bin/")) {
            entry(out, directory, '5', 0, 0755, "");
        }
        entry(out, "tmp/", '5', 0, 01777, "");
        file(out, "bin/busybox", busybox, 0755);
        for (String applet : APPLETS) {
            entry(out, "bin/" + applet, '1', 0, 0755, "bin/busybox");
        }
        file(
                out,
                "etc/passwd",
                """
                root:x:0:0:root:/root:/bin/sh
                www-data:x:33:33:www-data:/var/www:/bin/false
                nobody:x:65534:65534:nobody:/home:/bin/false
                """
                        .getBytes(StandardCharsets.UTF_8),
                0644);
        file(
                out,
                "etc/group",
                """
                root:x:0:
                www-data:x:33:
                users:x:100:www-data
                nobody:x:65534:
                """
                        .getBytes(StandardCharsets.UTF_8),
                0644);
        out.write(new byte[2 * BLOCK]);
        return out.toByteArray();
    }

    private static void file(OutputStream out, String name, byte[] content, int mode)
            throws IOException {
        entry(out, name, '0', content.length, mode, "");
        out.write(content);
        out.write(new byte[(BLOCK - content.length % BLOCK) % BLOCK]);
    }

    /** One ustar header (POSIX.1-1988) with owner root and the modification time 0. */
    private static void entry(
            OutputStream out, String name, char type, long size, int mode, String link)
            throws IOException {
        byte[] header = new byte[BLOCK];
        text(header, 0, name);
        octal(header, 100, 8, mode);
        octal(header, 108, 8, 0);
        octal(header, 116, 8, 0);
        octal(header, 124, 12, size);
        octal(header, 136, 12, 0);
        header[156] = (byte) type;
        text(header, 157, link);
        text(header, 257, "ustar\00000");
        for (int i = 148; i < 156; i++) {
            header[i] = ' ';
        }
        int sum = 0;
        for (byte b : header) {
            sum += b & 0xff;
        }
        octal(header, 148, 7, sum);
        out.write(header);
    }

    private static void text(byte[] header, int at, String value) {
        byte[] bytes = value.getBytes(StandardCharsets.UTF_8);
        System.arraycopy(bytes, 0, header, at, bytes.length);
    }

    private static void octal(byte[] header, int at, int width, long value) {
        String digits = Long.toOctalString(value);
        text(header, at, "0".repeat(width - 1 - digits.length()) + digits);
    }

    private static byte[] gzip(byte[] content) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(content);
        }
        return out.toByteArray();
    }

    private static String put(Map<String, byte[]> blobs, byte[] content) {
        String digest = sha256(content);
        blobs.put(digest, content);
        return digest;
    }

    private static Map<String, Object> descriptor(String mediaType, String digest, byte[] content) {
        return ordered(
                "digest", "sha256:" + digest, "mediaType", mediaType, "size", content.length);
    }

    private static Map<String, Object> ordered(Object... pairs) {
        Map<String, Object> map = new TreeMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            map.put((String) pairs[i], pairs[i + 1]);
        }
        return map;
    }

    private static String architecture() {
        String name = System.getProperty("os.arch");
        return switch (name) {
            case "amd64", "x86_64" -> "amd64";
            case "aarch64" -> "arm64";
            default -> name;
        };
    }

    private static String sha256(byte[] content) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Writes the archive: {@code BusyboxArchive BUSYBOX REFERENCE ARCHIVE}. */
    public static void main(String[] arguments) throws IOException {
        write(Path.of(arguments[0]), arguments[1], List.of("sh"), Path.of(arguments[2]));
    }
}
