package io.crema.e2e.image;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Writes tar entries exactly as told, also those that no honest archiver would write. Headers are
 * POSIX ustar with owner root and time 0 unless an entry says otherwise; what does not fit goes
 * into PAX records.
 */
public final class TarWriter implements AutoCloseable {
    private static final int BLOCK = 512;
    private static final int MAX_NAME = 100;

    private final OutputStream out;
    private int uid;
    private int gid;
    private long modifiedSeconds;
    private final Map<String, String> records = new LinkedHashMap<>();

    public TarWriter(OutputStream out) {
        this.out = out;
    }

    /** Writes entries; lets a lambda throw what streams throw. */
    @FunctionalInterface
    public interface Entries {
        void write(TarWriter tar) throws IOException;
    }

    /** A whole archive, its end included. */
    public static byte[] archive(Entries entries) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (TarWriter tar = new TarWriter(bytes)) {
            entries.write(tar);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    /** The owner of the entries that follow. */
    public TarWriter owner(int newUid, int newGid) {
        this.uid = newUid;
        this.gid = newGid;
        return this;
    }

    /** The modification time of the entries that follow. */
    public TarWriter modified(long unixSeconds) {
        this.modifiedSeconds = unixSeconds;
        return this;
    }

    /** A PAX record for the next entry. */
    public TarWriter record(String key, String value) {
        records.put(key, value);
        return this;
    }

    public TarWriter directory(String name, int mode) throws IOException {
        return entry(name.endsWith("/") ? name : name + "/", '5', mode, "", new byte[0]);
    }

    public TarWriter file(String name, byte[] content, int mode) throws IOException {
        return entry(name, '0', mode, "", content);
    }

    public TarWriter file(String name, String content) throws IOException {
        return file(name, content.getBytes(StandardCharsets.UTF_8), 0644);
    }

    public TarWriter symbolicLink(String name, String target) throws IOException {
        return entry(name, '2', 0777, target, new byte[0]);
    }

    public TarWriter hardLink(String name, String target) throws IOException {
        return entry(name, '1', 0755, target, new byte[0]);
    }

    public TarWriter characterDevice(String name, int major, int minor) throws IOException {
        return node(name, '3', major, minor);
    }

    public TarWriter blockDevice(String name, int major, int minor) throws IOException {
        return node(name, '4', major, minor);
    }

    private TarWriter node(String name, char type, int major, int minor) throws IOException {
        byte[] header = header(name, type, 0600, 0, "");
        octal(header, 329, 8, major);
        octal(header, 337, 8, minor);
        out.write(sealed(header));
        return this;
    }

    private TarWriter entry(String name, char type, int mode, String link, byte[] content)
            throws IOException {
        if (bytes(name).length > MAX_NAME) {
            records.put("path", name);
        }
        if (bytes(link).length > MAX_NAME) {
            records.put("linkpath", link);
        }
        if (!records.isEmpty()) {
            byte[] extension = paxRecords();
            records.clear();
            out.write(sealed(header("PaxHeaders/entry", 'x', 0644, extension.length, "")));
            padded(extension);
        }
        out.write(sealed(header(name, type, mode, content.length, link)));
        padded(content);
        return this;
    }

    private void padded(byte[] content) throws IOException {
        out.write(content);
        out.write(new byte[(BLOCK - content.length % BLOCK) % BLOCK]);
    }

    private byte[] paxRecords() {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        records.forEach((key, value) -> {
            int rest = bytes(" " + key + "=" + value + "\n").length;
            int length = rest + 1;
            while (Integer.toString(length).length() + rest != length) {
                length = Integer.toString(length).length() + rest;
            }
            all.writeBytes(bytes(length + " " + key + "=" + value + "\n"));
        });
        return all.toByteArray();
    }

    private byte[] header(String name, char type, int mode, long size, String link) {
        byte[] header = new byte[BLOCK];
        text(header, 0, name);
        octal(header, 100, 8, mode);
        octal(header, 108, 8, uid);
        octal(header, 116, 8, gid);
        octal(header, 124, 12, size);
        octal(header, 136, 12, modifiedSeconds);
        header[156] = (byte) type;
        text(header, 157, link);
        text(header, 257, "ustar\00000");
        return header;
    }

    private static byte[] sealed(byte[] header) {
        for (int i = 148; i < 156; i++) {
            header[i] = ' ';
        }
        int sum = 0;
        for (byte b : header) {
            sum += b & 0xff;
        }
        octal(header, 148, 7, sum);
        return header;
    }

    private static void text(byte[] header, int at, String value) {
        byte[] bytes = bytes(value);
        System.arraycopy(bytes, 0, header, at, Math.min(bytes.length, MAX_NAME));
    }

    private static void octal(byte[] header, int at, int width, long value) {
        String digits = Long.toOctalString(value);
        if (digits.length() >= width) {
            throw new IllegalArgumentException(value + " does not fit a tar header");
        }
        text(header, at, "0".repeat(width - 1 - digits.length()) + digits);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @Override
    public void close() throws IOException {
        out.write(new byte[2 * BLOCK]);
        out.close();
    }
}
