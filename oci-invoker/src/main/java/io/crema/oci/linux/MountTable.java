package io.crema.oci.linux;

import io.crema.oci.linux.LinuxMounts.MountEntry;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Reads the lines of /proc/pid/mountinfo (proc(5)). */
public final class MountTable {
    private MountTable() {}

    /** All entries in the kernel's order, which is the order of mounting within one directory. */
    public static List<MountEntry> parse(byte[] mountinfo) {
        List<MountEntry> entries = new ArrayList<>();
        int start = 0;
        for (int i = 0; i <= mountinfo.length; i++) {
            if (i == mountinfo.length || mountinfo[i] == '\n') {
                if (i > start) {
                    entries.add(parseLine(FileNames.decode(mountinfo, start, i - start)));
                }
                start = i + 1;
            }
        }
        return entries;
    }

    // 36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/root rw,errors=continue
    private static MountEntry parseLine(String line) {
        Fields fields = new Fields(line);
        int id = Integer.parseInt(fields.next());
        int parentId = Integer.parseInt(fields.next());
        fields.next(); // major:minor
        Path root = path(fields.next());
        Path mountPoint = path(fields.next());
        String options = fields.next();
        List<String> optional = new ArrayList<>();
        String field = fields.next();
        while (!field.equals("-")) {
            optional.add(field);
            field = fields.next();
        }
        return new MountEntry(
                id,
                parentId,
                root,
                mountPoint,
                options,
                List.copyOf(optional),
                unescape(fields.next()),
                unescape(fields.next()),
                fields.rest());
    }

    // The root of a namespace file is such as "net:[4026531840]", not a path that starts with /.
    private static Path path(String field) {
        return Path.of(unescape(field));
    }

    /** Space, tab, newline and backslash are written as a backslash and three octal digits. */
    static String unescape(String field) {
        int backslash = field.indexOf('\\');
        if (backslash < 0) {
            return field;
        }
        StringBuilder text = new StringBuilder(field.length());
        for (int i = 0; i < field.length(); i++) {
            char c = field.charAt(i);
            if (c == '\\' && i + 3 < field.length() && isOctal(field, i + 1)) {
                text.append((char) Integer.parseInt(field, i + 1, i + 4, 8));
                i += 3;
            } else {
                text.append(c);
            }
        }
        return text.toString();
    }

    private static boolean isOctal(String text, int from) {
        for (int i = from; i < from + 3; i++) {
            if (text.charAt(i) < '0' || text.charAt(i) > '7') {
                return false;
            }
        }
        return true;
    }

    private static final class Fields {
        private final String line;
        private int position;

        Fields(String line) {
            this.line = line;
        }

        String next() {
            int end = line.indexOf(' ', position);
            if (end < 0 && position > line.length()) {
                throw new IllegalArgumentException("mountinfo line ends early: " + line);
            }
            String field = line.substring(position, end < 0 ? line.length() : end);
            position = (end < 0 ? line.length() : end) + 1;
            return field;
        }

        String rest() {
            return position >= line.length() ? "" : line.substring(position);
        }
    }
}
