package io.crema.image.layer;

import io.crema.oci.linux.FileNames;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * Writes POSIX tar (ustar) entries; what does not fit a header goes into PAX records. The same
 * entries give the same bytes.
 */
public final class TarOutput implements AutoCloseable {
    private static final int BLOCK = 512;
    private static final int MAX_NAME = 100;

    /** What seven octal digits hold. */
    private static final long MAX_ID = 07777777;

    /** What eleven octal digits hold. */
    private static final long MAX_NUMBER = 077777777777L;

    private final OutputStream out;

    public TarOutput(OutputStream out) {
        this.out = out;
    }

    /**
     * What an entry's header says.
     *
     * @param type the type flag: '0' a file, '1' a hard link, '2' a symbolic link, '3' and '4'
     *     devices, '5' a directory, '6' a fifo
     * @param link target of links, otherwise empty
     */
    @SuppressWarnings("ArrayRecordComponent")
    record Header(
            char type,
            String name,
            String link,
            int mode,
            long uid,
            long gid,
            long size,
            long modifiedSeconds,
            int modifiedNanos,
            int major,
            int minor,
            Map<String, byte[]> attributes) {}

    /** A file of root's with these bytes, made in 1970. */
    public void file(String name, byte[] content) throws IOException {
        plainFile(name, content.length);
        out.write(content);
        pad(content.length);
    }

    /** The header of a file of root's; its bytes are to be written and padded by the caller. */
    public void plainFile(String name, long size) throws IOException {
        write(new Header('0', name, "", 0644, 0, 0, size, 0, 0, 0, 0, Map.of()));
    }

    void write(Header header) throws IOException {
        Map<String, byte[]> records = records(header);
        if (!records.isEmpty()) {
            byte[] extension = extension(records);
            byte[] block = new byte[BLOCK];
            fill(
                    block,
                    new Header(
                            'x',
                            "PaxHeaders/entry",
                            "",
                            0644,
                            0,
                            0,
                            extension.length,
                            0,
                            0,
                            0,
                            0,
                            Map.of()));
            out.write(block);
            out.write(extension);
            pad(extension.length);
        }
        byte[] block = new byte[BLOCK];
        fill(block, header);
        out.write(block);
    }

    /** Content of the entry whose header was written last. */
    void content(byte[] bytes, int length) throws IOException {
        out.write(bytes, 0, length);
    }

    /** Fills up the last block of content of that size. */
    public void pad(long size) throws IOException {
        out.write(new byte[(int) ((BLOCK - size % BLOCK) % BLOCK)]);
    }

    private static Map<String, byte[]> records(Header header) {
        Map<String, byte[]> records = new LinkedHashMap<>();
        if (!fits(header.name)) {
            records.put("path", FileNames.encode(header.name));
        }
        if (!fits(header.link)) {
            records.put("linkpath", FileNames.encode(header.link));
        }
        if (header.size > MAX_NUMBER) {
            records.put("size", ascii(Long.toString(header.size)));
        }
        if (header.uid > MAX_ID) {
            records.put("uid", ascii(Long.toString(header.uid)));
        }
        if (header.gid > MAX_ID) {
            records.put("gid", ascii(Long.toString(header.gid)));
        }
        boolean wholeSecond =
                header.modifiedNanos == 0
                        && header.modifiedSeconds >= 0
                        && header.modifiedSeconds <= MAX_NUMBER;
        if (!wholeSecond) {
            records.put("mtime", ascii(time(header.modifiedSeconds, header.modifiedNanos)));
        }
        header.attributes.forEach((name, value) -> records.put("SCHILY.xattr." + name, value));
        return records;
    }

    /** Decimal seconds; what is before 1970 counts towards it. */
    private static String time(long seconds, int nanos) {
        if (seconds >= 0) {
            return String.format(Locale.ROOT, "%d.%09d", seconds, nanos);
        }
        long whole = nanos == 0 ? -seconds : -seconds - 1;
        int rest = nanos == 0 ? 0 : 1_000_000_000 - nanos;
        return String.format(Locale.ROOT, "-%d.%09d", whole, rest);
    }

    private static boolean fits(String text) {
        if (text.length() > MAX_NAME) {
            return false;
        }
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) > '~') {
                return false;
            }
        }
        return true;
    }

    private static byte[] extension(Map<String, byte[]> records) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        records.forEach((key, value) -> {
            byte[] name = key.getBytes(StandardCharsets.UTF_8);
            // Space, equals sign and line feed.
            int rest = name.length + value.length + 3;
            int length = rest + 1;
            while (Integer.toString(length).length() + rest != length) {
                length = Integer.toString(length).length() + rest;
            }
            all.writeBytes(ascii(length + " "));
            all.writeBytes(name);
            all.write('=');
            all.writeBytes(value);
            all.write('\n');
        });
        return all.toByteArray();
    }

    private static void fill(byte[] block, Header header) {
        text(block, 0, header.name);
        octal(block, 100, 8, header.mode);
        octal(block, 108, 8, header.uid > MAX_ID ? 0 : header.uid);
        octal(block, 116, 8, header.gid > MAX_ID ? 0 : header.gid);
        octal(block, 124, 12, header.size > MAX_NUMBER ? 0 : header.size);
        octal(block, 136, 12, Math.clamp(header.modifiedSeconds, 0, MAX_NUMBER));
        block[156] = (byte) header.type;
        text(block, 157, header.link);
        System.arraycopy(ascii("ustar\00000"), 0, block, 257, 8);
        octal(block, 329, 8, header.major);
        octal(block, 337, 8, header.minor);
        for (int i = 148; i < 156; i++) {
            block[i] = ' ';
        }
        int sum = 0;
        for (byte b : block) {
            sum += b & 0xff;
        }
        octal(block, 148, 7, sum);
    }

    private static void text(byte[] block, int at, String text) {
        byte[] bytes = FileNames.encode(text);
        System.arraycopy(bytes, 0, block, at, Math.min(bytes.length, MAX_NAME));
    }

    private static void octal(byte[] block, int at, int width, long value) {
        for (int i = at + width - 2; i >= at; i--) {
            block[i] = (byte) ('0' + (value & 7));
            value >>>= 3;
        }
        block[at + width - 1] = 0;
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    /** Ends the archive; the stream stays open. */
    @Override
    public void close() throws IOException {
        out.write(new byte[2 * BLOCK]);
        out.flush();
    }
}
