package io.crema.runtime.spec;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * The lines of an image's /etc/passwd or /etc/group. Images hold all sorts of things there: a line
 * that is not of the right form is passed over.
 */
final class AccountFile {
    /** What of these files is read at most; those of large organisations have some 100 KiB. */
    static final int MAX_BYTES = 4 << 20;

    private static final long MAX_ID = 0xFFFF_FFFEL; // the last number means "nobody asked"

    private AccountFile() {}

    /** A user (passwd(5)). */
    record User(String name, long uid, long gid, String home) {}

    /** A group (group(5)). */
    record Group(String name, long gid, List<String> members) {}

    static List<User> users(byte[] content) {
        List<User> users = new ArrayList<>();
        for (List<String> fields : lines(content, 7)) {
            OptionalLong uid = fields.size() < 4 ? OptionalLong.empty() : id(fields.get(2));
            OptionalLong gid = fields.size() < 4 ? OptionalLong.empty() : id(fields.get(3));
            if (uid.isPresent() && gid.isPresent()) {
                String home = fields.size() > 5 ? fields.get(5) : "";
                users.add(new User(fields.get(0), uid.getAsLong(), gid.getAsLong(), home));
            }
        }
        return users;
    }

    static List<Group> groups(byte[] content) {
        List<Group> groups = new ArrayList<>();
        for (List<String> fields : lines(content, 4)) {
            OptionalLong gid = fields.size() < 3 ? OptionalLong.empty() : id(fields.get(2));
            if (gid.isPresent()) {
                List<String> members =
                        fields.size() > 3 && !fields.get(3).isEmpty()
                                ? split(fields.get(3), ',', Integer.MAX_VALUE)
                                : List.of();
                groups.add(new Group(fields.get(0), gid.getAsLong(), members));
            }
        }
        return groups;
    }

    /** A user or group id; empty when the text is none. */
    static OptionalLong id(String text) {
        if (text.isEmpty() || text.length() > 10) {
            return OptionalLong.empty();
        }
        long id = 0;
        for (int i = 0; i < text.length(); i++) {
            char digit = text.charAt(i);
            if (digit < '0' || digit > '9') {
                return OptionalLong.empty();
            }
            id = id * 10 + (digit - '0');
        }
        return isId(id) ? OptionalLong.of(id) : OptionalLong.empty();
    }

    static boolean isId(long number) {
        return number >= 0 && number <= MAX_ID;
    }

    private static List<List<String>> lines(byte[] content, int maxFields) {
        List<List<String>> lines = new ArrayList<>();
        int start = 0;
        for (int i = 0; i <= content.length; i++) {
            if (i == content.length || content[i] == '\n') {
                int end = i > start && content[i - 1] == '\r' ? i - 1 : i;
                // NIS entries start with + or -, comments with #.
                if (end > start && "+-#".indexOf(content[start]) < 0) {
                    String line = new String(content, start, end - start, StandardCharsets.UTF_8);
                    lines.add(split(line, ':', maxFields));
                }
                start = i + 1;
            }
        }
        return lines;
    }

    private static List<String> split(String text, char separator, int maxFields) {
        List<String> fields = new ArrayList<>();
        int start = 0;
        while (fields.size() < maxFields - 1) {
            int end = text.indexOf(separator, start);
            if (end < 0) {
                break;
            }
            fields.add(text.substring(start, end));
            start = end + 1;
        }
        fields.add(text.substring(start));
        return fields;
    }
}
