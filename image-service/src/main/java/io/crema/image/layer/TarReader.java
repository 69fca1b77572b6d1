package io.crema.image.layer;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;

import io.crema.image.layer.TarEntry.Kind;
import io.crema.oci.linux.FileNames;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads a tar stream entry by entry: ustar, POSIX PAX, GNU (long names, base-256 numbers, sparse
 * files) and old V7. Where the formats leave doubt, it reads as Go's archive/tar does, because that
 * is what made nearly every layer. Nothing is buffered beyond one header.
 */
final class TarReader {
    private static final int BLOCK = 512;
    private static final String ATTRIBUTE_KEY = "SCHILY.xattr.";
    private static final int OLD_SPARSE_IN_HEADER = 4;
    private static final int OLD_SPARSE_IN_EXTENSION = 21;
    private static final long MAX_ID = 0xFFFFFFFEL;
    private static final int MAX_NAME_BYTES = 255;

    private final PlainBytes source;
    private final UnpackLimits limits;
    private final byte[] header = new byte[BLOCK];
    private final byte[] extension = new byte[BLOCK];

    private @Nullable ByteBuffer current;
    private long contentLeft;
    private int paddingLeft;
    private int entries;

    /** What the extended headers before an entry say about it; each is used once. */
    private static final class Extended {
        private final Map<String, byte[]> records = new HashMap<>();
        private final Map<String, byte[]> attributes = new HashMap<>();
        private byte @Nullable [] longName;
        private byte @Nullable [] longLink;
        private long @Nullable [] oldPaxSparse;
        private int oldPaxSparseLength;
        private boolean any;

        @Nullable String text(String key) {
            byte[] value = records.get(key);
            return value == null || value.length == 0 ? null : new String(value, UTF_8);
        }

        byte @Nullable [] bytes(String key) {
            byte[] value = records.get(key);
            return value == null || value.length == 0 ? null : value;
        }
    }

    TarReader(PlainBytes source, UnpackLimits limits) {
        this.source = source;
        this.limits = limits;
    }

    /** Entries read so far. */
    int entries() {
        return entries;
    }

    /**
     * The next entry; what was left of the content of the one before is passed over.
     *
     * @return null after the last entry, when all that follows were zeros
     * @throws DamagedLayerException when the stream is not a tar archive or has a name or number
     *     that no layer may have
     */
    @Nullable TarEntry next() throws IOException {
        skip(contentLeft + paddingLeft);
        contentLeft = 0;
        paddingLeft = 0;
        Extended extended = new Extended();
        while (true) {
            if (!readBlock(header)) {
                if (extended.any) {
                    throw damaged("the archive ends after an extended header");
                }
                return null;
            }
            if (isZero(header)) {
                readEnd(extended);
                return null;
            }
            checkSum();
            if (++entries > limits.maxEntries()) {
                throw damaged("it has more than " + limits.maxEntries() + " entries");
            }
            switch (header[156]) {
                case 'x' -> {
                    extended.records.clear();
                    extended.attributes.clear();
                    extended.oldPaxSparse = null;
                    extended.oldPaxSparseLength = 0;
                    extended.any = true;
                    readPax(readSpecial("PAX header"), extended);
                }
                // Global headers carry comments of git and the like; Go's reader, and so every
                // runtime, ignores what they say about the entries that follow.
                case 'g' -> readSpecial("global PAX header");
                case 'L' -> {
                    extended.longName = untilZero(readSpecial("GNU long name"));
                    extended.any = true;
                }
                case 'K' -> {
                    extended.longLink = untilZero(readSpecial("GNU long link"));
                    extended.any = true;
                }
                default -> {
                    return entry(extended);
                }
            }
        }
    }

    /** The next bytes of the current entry's content; null at its end. */
    @Nullable ByteBuffer content() throws IOException {
        if (contentLeft == 0) {
            return null;
        }
        ByteBuffer buffer = buffer();
        if (buffer == null) {
            throw damaged("the archive ends in the middle of a file");
        }
        int length = (int) Math.min(contentLeft, buffer.remaining());
        ByteBuffer slice = buffer.slice(buffer.position(), length);
        buffer.position(buffer.position() + length);
        contentLeft -= length;
        return slice;
    }

    private TarEntry entry(Extended extended) throws IOException {
        boolean ustar = matches(257, "ustar\0");
        boolean gnu = matches(257, "ustar  \0");
        byte[] nameBytes = name(extended, ustar);
        String rawName = FileNames.decode(nameBytes, 0, nameBytes.length);
        Kind type = type(header[156], rawName);
        byte[] linkBytes = link(extended);
        long size = number(124, 12, "size");
        String paxSize = extended.text("size");
        if (paxSize != null) {
            size = decimal(paxSize, "size");
        }
        if (size < 0) {
            throw damaged("the size of '" + shown(rawName) + "' is negative");
        }
        long[] fragments = {};
        boolean sparse = false;
        long realSize = 0;
        if (type == Kind.REGULAR_FILE) {
            contentLeft = size;
            paddingLeft = (int) (-size & (BLOCK - 1));
            realSize = size;
            sparse = header[156] == 'S' || isPaxSparse(extended);
            if (sparse) {
                byte[] sparseName = extended.bytes("GNU.sparse.name");
                if (sparseName != null) {
                    rawName = FileNames.decode(sparseName, 0, sparseName.length);
                }
                realSize = realSize(extended);
                fragments = fragments(extended);
                checkFragments(fragments, realSize, rawName);
            }
            if (realSize > limits.maxFileBytes()) {
                throw damaged(
                        "'"
                                + shown(rawName)
                                + "' has "
                                + realSize
                                + " bytes, more than "
                                + limits.maxFileBytes());
            }
        }
        String path = checkedPath(rawName, false);
        return new TarEntry(
                type,
                path,
                checkedLink(type, path, FileNames.decode(linkBytes, 0, linkBytes.length)),
                (int) number(100, 8, "mode") & 07777,
                id(extended, "uid", 108, path),
                id(extended, "gid", 116, path),
                realSize,
                modifiedSeconds(extended),
                modifiedNanos(extended),
                device(type, 329, ustar || gnu),
                device(type, 337, ustar || gnu),
                extended.attributes.isEmpty() ? Map.of() : extended.attributes,
                fragments,
                sparse);
    }

    // ---- names ----

    private byte[] name(Extended extended, boolean ustar) {
        if (extended.longName != null) {
            return extended.longName;
        }
        byte[] path = extended.bytes("path");
        if (path != null) {
            return path;
        }
        byte[] name = field(0, 100);
        boolean star = ustar && header[508] == 't' && header[509] == 'a' && header[510] == 'r';
        byte[] prefix = ustar ? field(345, star ? 131 : 155) : new byte[0];
        if (prefix.length == 0) {
            return name;
        }
        byte[] joined = new byte[prefix.length + 1 + name.length];
        System.arraycopy(prefix, 0, joined, 0, prefix.length);
        joined[prefix.length] = '/';
        System.arraycopy(name, 0, joined, prefix.length + 1, name.length);
        return joined;
    }

    private byte[] link(Extended extended) {
        if (extended.longLink != null) {
            return extended.longLink;
        }
        byte[] path = extended.bytes("linkpath");
        return path != null ? path : field(157, 100);
    }

    private Kind type(byte flag, String name) throws DamagedLayerException {
        return switch (flag) {
            // Before POSIX a directory was told by its final slash.
            case '0', 0 -> name.endsWith("/") ? Kind.DIRECTORY : Kind.REGULAR_FILE;
            case '7', 'S' -> Kind.REGULAR_FILE;
            case '1' -> Kind.HARD_LINK;
            case '2' -> Kind.SYMBOLIC_LINK;
            case '3' -> Kind.CHARACTER_DEVICE;
            case '4' -> Kind.BLOCK_DEVICE;
            case '5' -> Kind.DIRECTORY;
            case '6' -> Kind.FIFO;
            default ->
                    throw damaged(
                            "'"
                                    + shown(name)
                                    + "' is of type '"
                                    + (flag >= ' ' && flag < 127 ? (char) flag : "\\" + flag)
                                    + "', which no layer may have");
        };
    }

    private String checkedLink(Kind type, String path, String target) throws DamagedLayerException {
        if (type == Kind.HARD_LINK) {
            if (target.isEmpty()) {
                throw damaged("hard link '" + shown(path) + "' has no target");
            }
            // Resolved beneath the root in any case; absolute targets are in layers of old tools.
            return checkedPath(target, true);
        }
        if (type == Kind.SYMBOLIC_LINK) {
            int length = FileNames.encode(target).length;
            if (length == 0 || length > limits.maxPathBytes() || target.indexOf('\0') >= 0) {
                throw damaged(
                        "symbolic link '"
                                + shown(path)
                                + "' has a target of "
                                + length
                                + " bytes; 1 to "
                                + limits.maxPathBytes()
                                + " are possible");
            }
            return target;
        }
        return "";
    }

    /** Brings a name into its normal form and refuses what could lead out of the root. */
    private String checkedPath(String name, boolean absoluteAllowed) throws DamagedLayerException {
        int length = name.length();
        if (length == 0) {
            throw damaged("an entry has no name");
        }
        if (name.charAt(0) == '/' && !absoluteAllowed) {
            throw damaged("'" + shown(name) + "' is an absolute path");
        }
        if (name.indexOf('\0') >= 0) {
            throw damaged("'" + shown(name) + "' contains a zero byte");
        }
        if (length > limits.maxPathBytes()
                || (length > limits.maxPathBytes() / 3
                        && FileNames.encode(name).length > limits.maxPathBytes())) {
            throw damaged(
                    "'" + shown(name) + "' is longer than " + limits.maxPathBytes() + " bytes");
        }
        StringBuilder clean = null;
        int depth = 0;
        int start = 0;
        int kept = 0;
        while (start < length) {
            int end = name.indexOf('/', start);
            if (end < 0) {
                end = length;
            }
            boolean drop = end == start || (end == start + 1 && name.charAt(start) == '.');
            if (!drop) {
                checkComponent(name, start, end);
                if (++depth > limits.maxDepth()) {
                    throw damaged(
                            "'"
                                    + shown(name)
                                    + "' is more than "
                                    + limits.maxDepth()
                                    + " directories deep");
                }
                if (clean == null && start == kept + (kept == 0 ? 0 : 1)) {
                    kept = end;
                } else {
                    if (clean == null) {
                        clean = new StringBuilder(length).append(name, 0, kept);
                    }
                    if (!clean.isEmpty()) {
                        clean.append('/');
                    }
                    clean.append(name, start, end);
                }
            }
            start = end + 1;
        }
        return clean != null ? clean.toString() : name.substring(0, kept);
    }

    private void checkComponent(String name, int start, int end) throws DamagedLayerException {
        if (end == start + 2 && name.charAt(start) == '.' && name.charAt(start + 1) == '.') {
            throw damaged("'" + shown(name) + "' leads upwards by '..'");
        }
        int length = end - start;
        if (length > MAX_NAME_BYTES
                || (length > MAX_NAME_BYTES / 3
                        && FileNames.encode(name.substring(start, end)).length > MAX_NAME_BYTES)) {
            throw damaged(
                    "'" + shown(name) + "' has a name of more than " + MAX_NAME_BYTES + " bytes");
        }
    }

    // ---- numbers ----

    private long id(Extended extended, String key, int offset, String path) throws IOException {
        String text = extended.text(key);
        long id = text != null ? decimal(text, key) : number(offset, 8, key);
        if (id < 0 || id > MAX_ID) {
            throw damaged("the " + key + " of '" + shown(path) + "' is " + id);
        }
        return id;
    }

    private int device(Kind type, int offset, boolean present) throws IOException {
        if (!present || (type != Kind.CHARACTER_DEVICE && type != Kind.BLOCK_DEVICE)) {
            return 0;
        }
        long number = number(offset, 8, "device number");
        // The kernel's dev_t: 12 bits of major, 20 bits of minor.
        if (number < 0 || number >= (offset == 329 ? 1 << 12 : 1 << 20)) {
            throw damaged("a device number is out of range: " + number);
        }
        return (int) number;
    }

    private long modifiedSeconds(Extended extended) throws IOException {
        String text = extended.text("mtime");
        if (text == null) {
            return number(136, 12, "modification time");
        }
        int dot = text.indexOf('.');
        long seconds = decimal(dot < 0 ? text : text.substring(0, dot), "mtime");
        // A negative time counts its fraction downwards; nanoseconds are kept positive.
        return text.startsWith("-") && nanos(text) > 0 ? seconds - 1 : seconds;
    }

    private int modifiedNanos(Extended extended) throws IOException {
        String text = extended.text("mtime");
        if (text == null) {
            return 0;
        }
        int nanos = nanos(text);
        return text.startsWith("-") && nanos > 0 ? 1_000_000_000 - nanos : nanos;
    }

    /** Digits after the dot as nanoseconds; finer ones are cut off. */
    private int nanos(String time) throws IOException {
        int dot = time.indexOf('.');
        if (dot < 0) {
            return 0;
        }
        int nanos = 0;
        int digits = 0;
        for (int i = dot + 1; i < time.length(); i++) {
            char c = time.charAt(i);
            if (c < '0' || c > '9') {
                throw damaged("mtime '" + shown(time) + "' is not a number");
            }
            if (digits < 9) {
                nanos = nanos * 10 + (c - '0');
                digits++;
            }
        }
        for (; digits < 9; digits++) {
            nanos *= 10;
        }
        return nanos;
    }

    private static long decimal(String text, String what) throws DamagedLayerException {
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException e) {
            throw new DamagedLayerException(what + " '" + shown(text) + "' is not a number", e);
        }
    }

    private long number(int offset, int length, String what) throws DamagedLayerException {
        return number(header, offset, length, what);
    }

    /** Octal text, or GNU's big-endian two's complement when the first bit is set. */
    private static long number(byte[] block, int offset, int length, String what)
            throws DamagedLayerException {
        if ((block[offset] & 0x80) != 0) {
            // Bit 6 is the sign; bit 7 only marks the format.
            long value = (block[offset] & 0x40) != 0 ? -1 : 0;
            value = value << 6 | (block[offset] & 0x3F);
            for (int i = 1; i < length; i++) {
                if (value > Long.MAX_VALUE >> 8 || value < Long.MIN_VALUE >> 8) {
                    throw new DamagedLayerException(what + " of an entry is out of range");
                }
                value = value << 8 | (block[offset + i] & 0xFF);
            }
            return value;
        }
        int start = offset;
        int end = offset + length;
        while (start < end && (block[start] == ' ' || block[start] == 0)) {
            start++;
        }
        while (end > start && (block[end - 1] == ' ' || block[end - 1] == 0)) {
            end--;
        }
        long value = 0;
        for (int i = start; i < end && block[i] != 0; i++) {
            if (block[i] < '0' || block[i] > '7') {
                throw new DamagedLayerException(what + " of an entry is not an octal number");
            }
            value = value << 3 | (block[i] - '0');
        }
        return value;
    }

    // ---- extended headers ----

    private byte[] readSpecial(String what) throws IOException {
        long size = number(124, 12, "size");
        if (size < 0 || size > limits.maxHeaderBytes()) {
            throw damaged(
                    "a " + what + " has " + size + " bytes, more than " + limits.maxHeaderBytes());
        }
        byte[] bytes = new byte[(int) size];
        if (!readFully(bytes)) {
            throw damaged("the archive ends in the middle of a " + what);
        }
        skip(-size & (BLOCK - 1));
        return bytes;
    }

    /** Records of the form {@code "length key=value\n"}. */
    private void readPax(byte[] bytes, Extended extended) throws DamagedLayerException {
        int at = 0;
        while (at < bytes.length) {
            int length = 0;
            int i = at;
            while (i < bytes.length && bytes[i] >= '0' && bytes[i] <= '9' && i - at < 9) {
                length = length * 10 + (bytes[i++] - '0');
            }
            int end = at + length;
            if (i == at
                    || i >= bytes.length
                    || bytes[i] != ' '
                    || end > bytes.length
                    || end <= i + 1
                    || bytes[end - 1] != '\n') {
                throw damaged("a PAX header is malformed");
            }
            int keyStart = i + 1;
            int equals = keyStart;
            while (equals < end && bytes[equals] != '=') {
                equals++;
            }
            if (equals == end || equals == keyStart) {
                throw damaged("a PAX record has no key");
            }
            String key = new String(bytes, keyStart, equals - keyStart, UTF_8);
            byte[] value = Arrays.copyOfRange(bytes, equals + 1, end - 1);
            paxRecord(key, value, extended);
            at = end;
        }
    }

    private void paxRecord(String key, byte[] value, Extended extended)
            throws DamagedLayerException {
        if (key.startsWith(ATTRIBUTE_KEY)) {
            extended.attributes.put(key.substring(ATTRIBUTE_KEY.length()), value);
        } else if (key.equals("GNU.sparse.offset") || key.equals("GNU.sparse.numbytes")) {
            // Version 0.0 repeats these two keys for every fragment.
            boolean isOffset = key.endsWith("offset");
            int index = extended.oldPaxSparseLength;
            if ((index % 2 == 0) != isOffset) {
                throw damaged("a sparse map is malformed");
            }
            long[] map = extended.oldPaxSparse;
            if (map == null) {
                map = new long[16];
            } else if (index == map.length) {
                map = Arrays.copyOf(map, index * 2);
            }
            map[index] = decimal(new String(value, US_ASCII), key);
            extended.oldPaxSparse = map;
            extended.oldPaxSparseLength = index + 1;
        } else {
            extended.records.put(key, value);
        }
    }

    // ---- sparse files ----

    private static boolean isPaxSparse(Extended extended) {
        return extended.records.containsKey("GNU.sparse.major")
                || extended.records.containsKey("GNU.sparse.map")
                || extended.oldPaxSparse != null;
    }

    private long realSize(Extended extended) throws IOException {
        if (header[156] == 'S') {
            return number(483, 12, "real size");
        }
        String size = extended.text("GNU.sparse.realsize");
        if (size == null) {
            size = extended.text("GNU.sparse.size");
        }
        if (size == null) {
            throw damaged("a sparse file has no size");
        }
        return decimal(size, "real size");
    }

    /** Offset and length in turn; reads what of the map lies in the content. */
    private long[] fragments(Extended extended) throws IOException {
        if (header[156] == 'S') {
            return gnuFragments();
        }
        if (extended.oldPaxSparse != null) {
            if (extended.oldPaxSparseLength % 2 != 0) {
                throw damaged("a sparse map is malformed");
            }
            return Arrays.copyOf(extended.oldPaxSparse, extended.oldPaxSparseLength);
        }
        String map = extended.text("GNU.sparse.map");
        if (map != null) {
            return commaFragments(map);
        }
        if (!"1".equals(extended.text("GNU.sparse.major"))
                || !"0".equals(extended.text("GNU.sparse.minor"))) {
            throw damaged("a sparse file is of a version that is not known");
        }
        return leadingFragments();
    }

    private long[] commaFragments(String map) throws DamagedLayerException {
        int count = 1;
        for (int i = 0; i < map.length(); i++) {
            if (map.charAt(i) == ',') {
                count++;
            }
        }
        if (count % 2 != 0) {
            throw damaged("a sparse map is malformed");
        }
        checkFragmentCount(count / 2);
        long[] fragments = new long[count];
        int start = 0;
        for (int i = 0; i < count; i++) {
            int end = map.indexOf(',', start);
            fragments[i] =
                    decimal(map.substring(start, end < 0 ? map.length() : end), "sparse map");
            start = end + 1;
        }
        return fragments;
    }

    private long[] gnuFragments() throws IOException {
        long[] fragments = new long[2 * OLD_SPARSE_IN_HEADER];
        int used = gnuMap(header, 386, OLD_SPARSE_IN_HEADER, fragments, 0);
        boolean more = header[482] != 0;
        while (more) {
            if (!readBlock(extension)) {
                throw damaged("the archive ends in a sparse map");
            }
            checkFragmentCount(used / 2 + OLD_SPARSE_IN_EXTENSION);
            fragments = Arrays.copyOf(fragments, used + 2 * OLD_SPARSE_IN_EXTENSION);
            used = gnuMap(extension, 0, OLD_SPARSE_IN_EXTENSION, fragments, used);
            more = extension[504] != 0;
        }
        return Arrays.copyOf(fragments, used);
    }

    private int gnuMap(byte[] block, int offset, int count, long[] fragments, int start)
            throws DamagedLayerException {
        int used = start;
        for (int i = 0; i < count && block[offset + 24 * i] != 0; i++) {
            fragments[used++] = number(block, offset + 24 * i, 12, "sparse offset");
            fragments[used++] = number(block, offset + 24 * i + 12, 12, "sparse length");
        }
        return used;
    }

    /** PAX 1.0: the map leads the content, a decimal number a line, padded to whole blocks. */
    private long[] leadingFragments() throws IOException {
        int[] at = {BLOCK};
        long count = mapNumber(at);
        checkFragmentCount(count);
        long[] fragments = new long[2 * (int) count];
        for (int i = 0; i < fragments.length; i++) {
            fragments[i] = mapNumber(at);
        }
        return fragments;
    }

    private long mapNumber(int[] at) throws IOException {
        long value = 0;
        int digits = 0;
        while (true) {
            if (at[0] == BLOCK) {
                if (contentLeft < BLOCK || !readBlock(extension)) {
                    throw damaged("the archive ends in a sparse map");
                }
                contentLeft -= BLOCK;
                at[0] = 0;
            }
            byte digit = extension[at[0]++];
            if (digit == '\n' && digits > 0) {
                return value;
            }
            if (digit < '0' || digit > '9' || ++digits > 18) {
                throw damaged("a sparse map is malformed");
            }
            value = value * 10 + (digit - '0');
        }
    }

    private void checkFragmentCount(long count) throws DamagedLayerException {
        if (count > limits.maxSparseFragments()) {
            throw damaged(
                    "a sparse file has more than " + limits.maxSparseFragments() + " fragments");
        }
    }

    private void checkFragments(long[] fragments, long realSize, String name)
            throws DamagedLayerException {
        long end = 0;
        long total = 0;
        for (int i = 0; i < fragments.length; i += 2) {
            long offset = fragments[i];
            long length = fragments[i + 1];
            if (offset < end || length < 0 || offset > realSize || length > realSize - offset) {
                throw damaged("the sparse map of '" + shown(name) + "' is malformed");
            }
            end = offset + length;
            total += length;
        }
        if (realSize < 0 || total != contentLeft) {
            throw damaged("the sparse map of '" + shown(name) + "' does not fit its content");
        }
    }

    // ---- blocks ----

    private void checkSum() throws DamagedLayerException {
        long unsigned = 0;
        long signed = 0;
        for (int i = 0; i < BLOCK; i++) {
            boolean inField = i >= 148 && i < 156;
            unsigned += inField ? ' ' : header[i] & 0xFF;
            signed += inField ? ' ' : header[i];
        }
        long stated = number(148, 8, "checksum");
        if (stated != unsigned && stated != signed) {
            throw damaged("a tar header has a wrong checksum, or this is no tar archive");
        }
    }

    /** After a zero block: one more, and then nothing but zeros. */
    private void readEnd(Extended extended) throws IOException {
        if (extended.any) {
            throw damaged("the archive ends after an extended header");
        }
        ByteBuffer buffer = buffer();
        while (buffer != null) {
            while (buffer.remaining() >= Long.BYTES) {
                if (buffer.getLong() != 0) {
                    throw damaged("something follows the end of the archive");
                }
            }
            while (buffer.hasRemaining()) {
                if (buffer.get() != 0) {
                    throw damaged("something follows the end of the archive");
                }
            }
            buffer = buffer();
        }
    }

    private static boolean isZero(byte[] block) {
        for (byte b : block) {
            if (b != 0) {
                return false;
            }
        }
        return true;
    }

    private boolean matches(int offset, String magic) {
        for (int i = 0; i < magic.length(); i++) {
            if (header[offset + i] != magic.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    private byte[] field(int offset, int length) {
        int end = offset;
        while (end < offset + length && header[end] != 0) {
            end++;
        }
        return Arrays.copyOfRange(header, offset, end);
    }

    private static byte[] untilZero(byte[] bytes) {
        int length = 0;
        while (length < bytes.length && bytes[length] != 0) {
            length++;
        }
        return Arrays.copyOf(bytes, length);
    }

    /** Whether there was a whole block; false at the end of the stream. */
    private boolean readBlock(byte[] block) throws IOException {
        ByteBuffer buffer = buffer();
        if (buffer == null) {
            return false;
        }
        if (!readFully(block)) {
            throw damaged("the archive ends in the middle of a header");
        }
        return true;
    }

    private boolean readFully(byte[] target) throws IOException {
        int filled = 0;
        while (filled < target.length) {
            ByteBuffer buffer = buffer();
            if (buffer == null) {
                return false;
            }
            int length = Math.min(target.length - filled, buffer.remaining());
            buffer.get(target, filled, length);
            filled += length;
        }
        return true;
    }

    private void skip(long bytes) throws IOException {
        long left = bytes;
        while (left > 0) {
            if ((current == null || !current.hasRemaining()) && source.skip(left)) {
                return;
            }
            ByteBuffer buffer = buffer();
            if (buffer == null) {
                throw damaged("the archive ends in the middle of a file");
            }
            int length = (int) Math.min(left, buffer.remaining());
            buffer.position(buffer.position() + length);
            left -= length;
        }
    }

    /** A buffer with bytes in it; null at the end of the stream. */
    private @Nullable ByteBuffer buffer() throws IOException {
        while (current == null || !current.hasRemaining()) {
            current = source.next();
            if (current == null) {
                return null;
            }
        }
        return current;
    }

    private static DamagedLayerException damaged(String why) {
        return new DamagedLayerException(why);
    }

    /** A hostile name cut down to what fits in a message. */
    static String shown(String name) {
        int length = Math.min(name.length(), 120);
        StringBuilder text = new StringBuilder(length + 1);
        for (int i = 0; i < length; i++) {
            char c = name.charAt(i);
            text.append(Character.isISOControl(c) || Character.isSurrogate(c) ? '?' : c);
        }
        return length < name.length() ? text.append('…').toString() : text.toString();
    }
}
