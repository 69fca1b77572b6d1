package io.crema.runtime.stats;

import io.crema.base.ErrorKind;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import io.crema.runtime.state.PodException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;

/**
 * The text of one kernel file and a cursor over its lines and words. One instance serves many files
 * in turn; it is not thread safe.
 *
 * <p>Reading makes no objects but the descriptor: a node with fifty pods reads about a thousand
 * such files for one answer.
 */
final class KernelText implements AutoCloseable {
    /** What {@link #number} answers for "max": no limit. */
    static final long UNLIMITED = Long.MAX_VALUE;

    /** Version 1 of cgroups writes the largest page count for "no limit"; so is all above this. */
    private static final long NO_LIMIT = 1L << 62;

    private static final int CHUNK = 16 * 1024;
    private static final int LARGEST = 4 << 20;
    private static final Set<OpenFlag> READ = Set.of(OpenFlag.READ_ONLY);

    private final KernelFiles pool;
    private final LinuxFiles files;
    private final ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK);
    private byte[] bytes = new byte[CHUNK];
    private int length;
    private int lineEnd;
    private int next;
    private int wordStart;
    private int wordEnd;

    KernelText(KernelFiles pool, LinuxFiles files) {
        this.pool = pool;
        this.files = files;
    }

    /**
     * Reads a file whose content the kernel gives in a single read: one value, or a table of a
     * cgroup.
     *
     * @return false when there is no such file, or what it tells of has gone
     */
    boolean read(Path file) {
        return read(file, false);
    }

    /** As {@link #read}, for lists that the kernel gives page by page. */
    boolean readList(Path file) {
        return read(file, true);
    }

    private boolean read(Path file, boolean toTheEnd) {
        length = 0;
        try (Descriptor descriptor = files.open(file, READ, 0)) {
            while (true) {
                chunk.clear();
                int count = files.read(descriptor, chunk);
                if (count < 0) {
                    break;
                }
                append(count);
                if (!toTheEnd && count < CHUNK) {
                    break;
                }
            }
        } catch (LinuxException e) {
            if (isGone(e.errno())) {
                return false;
            }
            throw new PodException(
                    ErrorKind.INTERNAL, "cannot read " + file + ": " + e.getMessage(), e);
        }
        rewind();
        return true;
    }

    /**
     * A removed cgroup answers ENODEV, a process that ended ESRCH or EINVAL, pressure figures that
     * the kernel was told not to keep EOPNOTSUPP.
     */
    private static boolean isGone(Errno errno) {
        return errno.is(Errno.ENOENT)
                || errno.is(Errno.ENODEV)
                || errno.is(Errno.ESRCH)
                || errno.is(Errno.ENOTDIR)
                || errno.is(Errno.EINVAL)
                || errno.is(Errno.EOPNOTSUPP);
    }

    private void append(int count) {
        int wanted = length + count;
        if (wanted > bytes.length) {
            if (wanted > LARGEST) {
                throw new PodException(
                        ErrorKind.RESOURCE_EXHAUSTED,
                        "a file of the kernel has more than " + LARGEST + " bytes");
            }
            bytes = Arrays.copyOf(bytes, Math.min(LARGEST, Math.max(wanted, bytes.length * 2)));
        }
        chunk.get(0, bytes, length, count);
        length = wanted;
    }

    private void rewind() {
        next = 0;
        lineEnd = -1;
        wordStart = 0;
        wordEnd = 0;
    }

    /** Moves to the next line, at first to the first one; false when there is none. */
    boolean nextLine() {
        int start = lineEnd + 1;
        if (start >= length) {
            return false;
        }
        int end = start;
        while (end < length && bytes[end] != '\n') {
            end++;
        }
        next = start;
        lineEnd = end;
        return true;
    }

    /** Moves to the next word of the line, which spaces and tabs separate; false at its end. */
    boolean nextWord() {
        int start = next;
        while (start < lineEnd && (bytes[start] == ' ' || bytes[start] == '\t')) {
            start++;
        }
        int end = start;
        while (end < lineEnd && bytes[end] != ' ' && bytes[end] != '\t') {
            end++;
        }
        wordStart = start;
        wordEnd = end;
        next = end;
        return end > start;
    }

    /** Moves past the given number of words; false when the line ends before. */
    boolean skipWords(int count) {
        for (int i = 0; i < count; i++) {
            if (!nextWord()) {
                return false;
            }
        }
        return true;
    }

    /** Moves to the first line and behind the last such character in it. */
    boolean toLastInLine(char character) {
        if (!nextLine()) {
            return false;
        }
        for (int at = lineEnd - 1; at >= next; at--) {
            if (bytes[at] == character) {
                next = at + 1;
                return true;
            }
        }
        return false;
    }

    /** Asked before the first word of the line is taken. */
    boolean lineStartsWith(String ascii) {
        return lineEnd - next >= ascii.length() && matches(next, ascii);
    }

    boolean wordIs(String ascii) {
        return wordEnd - wordStart == ascii.length() && wordStartsWith(ascii);
    }

    boolean wordStartsWith(String ascii) {
        return wordEnd - wordStart >= ascii.length() && matches(wordStart, ascii);
    }

    private boolean matches(int at, String ascii) {
        for (int i = 0; i < ascii.length(); i++) {
            if (bytes[at + i] != ascii.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    String word() {
        return new String(bytes, wordStart, wordEnd - wordStart, StandardCharsets.ISO_8859_1);
    }

    /**
     * Ends the word at the first such character, so that the next one starts behind it: {@code
     * eth0:} and {@code total=7}.
     *
     * @return false when the character is not in the word
     */
    boolean cutWordAt(char separator) {
        for (int i = wordStart; i < wordEnd; i++) {
            if (bytes[i] == separator) {
                wordEnd = i;
                next = i + 1;
                return true;
            }
        }
        return false;
    }

    /** The word as a whole number; {@link #UNLIMITED} for "max" and for what stands for it. */
    long number() {
        if (wordIs("max")) {
            return UNLIMITED;
        }
        boolean negative = wordStartsWith("-");
        long value = 0;
        int at = wordStart + (negative ? 1 : 0);
        if (at == wordEnd) {
            throw notANumber();
        }
        for (; at < wordEnd; at++) {
            int digit = bytes[at] - '0';
            if (digit < 0 || digit > 9) {
                throw notANumber();
            }
            if (value > (Long.MAX_VALUE - digit) / 10) {
                return UNLIMITED; // counters of 64 bits without a sign; none gets there
            }
            value = value * 10 + digit;
        }
        return negative ? -value : value;
    }

    /** The word as a number with a fraction, such as 12.34. */
    double decimal() {
        double value = 0;
        double unit = 0;
        for (int at = wordStart; at < wordEnd; at++) {
            if (bytes[at] == '.' && unit == 0) {
                unit = 1;
                continue;
            }
            int digit = bytes[at] - '0';
            if (digit < 0 || digit > 9) {
                throw notANumber();
            }
            value = value * 10 + digit;
            unit *= 10;
        }
        return unit == 0 ? value : value / unit;
    }

    private PodException notANumber() {
        return new PodException(
                ErrorKind.INTERNAL, "the kernel wrote '" + word() + "' where a number should be");
    }

    /**
     * Reads a file that holds one number.
     *
     * @param missing what to answer when there is no such file
     */
    long readNumber(Path file, long missing) {
        if (!read(file) || !nextLine() || !nextWord()) {
            return missing;
        }
        return number();
    }

    /** As {@link #readNumber}; {@link #UNLIMITED} also when version 1 says so in its own way. */
    long readLimit(Path file, long missing) {
        return limit(readNumber(file, missing));
    }

    static long limit(long value) {
        return value >= NO_LIMIT ? UNLIMITED : value;
    }

    @Override
    public void close() {
        if (bytes.length > CHUNK) {
            bytes = new byte[CHUNK];
        }
        pool.giveBack(this);
    }
}
