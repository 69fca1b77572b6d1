package io.crema.image.layer;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.github.luben.zstd.Zstd;
import io.crema.base.Digest;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.Optional;
import java.util.zip.GZIPOutputStream;

/**
 * Writes tar archives header by header, so that tests can make what no tar program would. Names are
 * Latin-1: one character, one byte.
 */
public final class TarBytes {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private long uid;
    private long gid;
    private long modified = 1_700_000_000L;

    /** The owner of the entries that follow. */
    public TarBytes owner(long newUid, long newGid) {
        uid = newUid;
        gid = newGid;
        return this;
    }

    public TarBytes modified(long seconds) {
        modified = seconds;
        return this;
    }

    public TarBytes file(String name, String content) {
        return file(name, 0644, content.getBytes(UTF_8));
    }

    public TarBytes file(String name, int mode, byte[] content) {
        return entry('0', name, "", mode, content);
    }

    public TarBytes directory(String name, int mode) {
        return entry('5', name.endsWith("/") ? name : name + "/", "", mode, new byte[0]);
    }

    public TarBytes symbolicLink(String name, String target) {
        return entry('2', name, target, 0777, new byte[0]);
    }

    public TarBytes hardLink(String name, String target) {
        return entry('1', name, target, 0644, new byte[0]);
    }

    public TarBytes fifo(String name) {
        return entry('6', name, "", 0600, new byte[0]);
    }

    public TarBytes device(char type, String name, int major, int minor) {
        byte[] header = header(type, name, "", 0660, 0);
        octal(header, 329, 8, major);
        octal(header, 337, 8, minor);
        return raw(sum(header));
    }

    public TarBytes entry(char type, String name, String link, int mode, byte[] content) {
        raw(sum(header(type, name, link, mode, content.length)));
        return content(content);
    }

    /** A PAX header for the next entry; keys and values in turn. */
    public TarBytes pax(String... keysAndValues) {
        ByteArrayOutputStream records = new ByteArrayOutputStream();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            byte[] rest =
                    (" " + keysAndValues[i] + "=" + keysAndValues[i + 1] + "\n")
                            .getBytes(ISO_8859_1);
            int length = rest.length + 1;
            while (Integer.toString(length).length() + rest.length > length) {
                length++;
            }
            records.writeBytes(Integer.toString(length).getBytes(ISO_8859_1));
            records.writeBytes(rest);
        }
        return entry('x', "PaxHeaders/entry", "", 0644, records.toByteArray());
    }

    /** GNU's way to give the next entry a long name ('L') or link target ('K'). */
    public TarBytes gnuLong(char type, String name) {
        return entry(type, "././@LongLink", "", 0, (name + "\0").getBytes(ISO_8859_1));
    }

    /** Anything at all. */
    public TarBytes raw(byte[] bytes) {
        out.writeBytes(bytes);
        return this;
    }

    /** Bytes padded to whole blocks. */
    public TarBytes content(byte[] bytes) {
        out.writeBytes(bytes);
        out.writeBytes(new byte[-bytes.length & 511]);
        return this;
    }

    /** A ustar header without its checksum. */
    public byte[] header(char type, String name, String link, int mode, long size) {
        byte[] header = new byte[512];
        byte[] nameBytes = name.getBytes(ISO_8859_1);
        byte[] linkBytes = link.getBytes(ISO_8859_1);
        if (nameBytes.length > 100 || linkBytes.length > 100) {
            throw new IllegalArgumentException("needs a long name header: " + name);
        }
        System.arraycopy(nameBytes, 0, header, 0, nameBytes.length);
        System.arraycopy(linkBytes, 0, header, 157, linkBytes.length);
        octal(header, 100, 8, mode);
        number(header, 108, 8, uid);
        number(header, 116, 8, gid);
        number(header, 124, 12, size);
        number(header, 136, 12, modified);
        header[156] = (byte) type;
        byte[] magic = "ustar\00000".getBytes(ISO_8859_1);
        System.arraycopy(magic, 0, header, 257, magic.length);
        return header;
    }

    /** Fills in the checksum. */
    public static byte[] sum(byte[] header) {
        Arrays.fill(header, 148, 156, (byte) ' ');
        int sum = 0;
        for (byte b : header) {
            sum += b & 0xFF;
        }
        byte[] text = String.format("%06o\0 ", sum).getBytes(ISO_8859_1);
        System.arraycopy(text, 0, header, 148, 8);
        return header;
    }

    /** Octal where it fits, GNU's base-256 where it does not. */
    public static void number(byte[] header, int offset, int length, long value) {
        if (value >= 0 && value < 1L << (3 * (length - 1))) {
            octal(header, offset, length, value);
            return;
        }
        long rest = value;
        for (int i = length - 1; i >= 0; i--) {
            header[offset + i] = (byte) rest;
            rest >>= 8;
        }
        header[offset] |= (byte) 0x80;
    }

    private static void octal(byte[] header, int offset, int length, long value) {
        byte[] text = String.format("%0" + (length - 1) + "o", value).getBytes(ISO_8859_1);
        System.arraycopy(text, 0, header, offset, text.length);
    }

    /** The archive with its end marker. */
    public byte[] end() {
        out.writeBytes(new byte[1024]);
        return out.toByteArray();
    }

    /** The archive as it is, without an end marker. */
    public byte[] cut() {
        return out.toByteArray();
    }

    public static byte[] gzip(byte[] bytes) {
        ByteArrayOutputStream compressed = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(compressed)) {
            gzip.write(bytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return compressed.toByteArray();
    }

    public static byte[] zstd(byte[] bytes) {
        return Zstd.compress(bytes);
    }

    /** A layer of these bytes with the right digests. */
    public static LayerContent layer(byte[] plain, byte[] compressed) {
        Digest digest = ContentHash.of(compressed);
        return new LayerContent(
                digest.toString(),
                Optional.of(digest),
                compressed.length,
                ContentHash.of(plain),
                () -> new ByteArrayInputStream(compressed));
    }
}
