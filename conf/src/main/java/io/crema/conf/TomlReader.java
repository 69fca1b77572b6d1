package io.crema.conf;

import java.time.DateTimeException;
import java.time.LocalDate;
import java.time.LocalTime;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Reads TOML 1.0 (toml.io/en/v1.0.0). Our own, because a message about a wrong value needs its
 * line, which Jackson's reader forgets; because that reader costs the daemon 50 ms of start-up even
 * from an AOT cache, five times what the whole configuration costs this way; and because it cuts
 * integers of 19 digits (2.22.4). The tests compare the two.
 */
public final class TomlReader {
    /** Deeper nesting is a mistake or an attack on the stack. */
    private static final int MAX_DEPTH = 64;

    private static final int END = -1;

    /** How a table came to be, which decides what may be added to it later. */
    private enum Origin {
        /** Named by a longer header only: its own header may still come. */
        IMPLICIT,
        /** Has had its header. */
        HEADER,
        /** Made by a dotted key: complete when the table around it ends. */
        DOTTED,
        /** Written in braces: complete. */
        INLINE
    }

    /** A table under construction. */
    private static final class OpenTable {
        final Map<String, Object> entries = new LinkedHashMap<>();
        final int line;
        Origin origin;

        OpenTable(Origin origin, int line) {
            this.origin = origin;
            this.line = line;
        }
    }

    /** An array of tables under construction. */
    private static final class OpenTables {
        final List<OpenTable> tables = new ArrayList<>();
        final int line;

        OpenTables(int line) {
            this.line = line;
        }
    }

    private final String text;
    private int at;
    private int line = 1;
    private int depth;

    private TomlReader(String text) {
        this.text = text;
    }

    /**
     * @throws TomlException when the text is not TOML
     */
    public static TomlValue.Table read(String text) throws TomlException {
        return new TomlReader(text).document();
    }

    static boolean isBareKeyCharacter(int c) {
        return (c >= 'a' && c <= 'z')
                || (c >= 'A' && c <= 'Z')
                || (c >= '0' && c <= '9')
                || c == '_'
                || c == '-';
    }

    private TomlValue.Table document() throws TomlException {
        if (peek() == 0xFEFF) {
            at++;
        }
        OpenTable root = new OpenTable(Origin.HEADER, 1);
        OpenTable current = root;
        while (true) {
            skipBlankLines();
            if (peek() == END) {
                return close(root);
            }
            if (peek() == '[') {
                current = header(root);
            } else {
                keyValue(current);
            }
            endOfLine();
        }
    }

    /** Reads {@code [a.b]} or {@code [[a.b]]} and opens the table that it names. */
    private OpenTable header(OpenTable root) throws TomlException {
        at++;
        boolean array = peek() == '[';
        if (array) {
            at++;
        }
        List<String> path = keyPath();
        expect(']', "']' after the name of a table");
        if (array && !take(']')) {
            throw error("expected ']]' after the name of an array of tables, found " + found());
        }
        OpenTable parent = root;
        for (String name : path.subList(0, path.size() - 1)) {
            parent = descend(parent, name);
        }
        String last = path.getLast();
        Object existing = parent.entries.get(last);
        if (array) {
            return openElement(parent, last, existing);
        }
        if (existing == null) {
            OpenTable table = new OpenTable(Origin.HEADER, line);
            parent.entries.put(last, table);
            return table;
        }
        if (existing instanceof OpenTable table && table.origin == Origin.IMPLICIT) {
            table.origin = Origin.HEADER;
            return table;
        }
        throw error(
                existing instanceof OpenTable
                        ? "the table [" + String.join(".", path) + "] was already defined"
                        : "'" + String.join(".", path) + "' already has a value; it is no table");
    }

    private OpenTable openElement(OpenTable parent, String name, @Nullable Object existing)
            throws TomlException {
        OpenTables tables;
        if (existing == null) {
            tables = new OpenTables(line);
            parent.entries.put(name, tables);
        } else if (existing instanceof OpenTables open) {
            tables = open;
        } else {
            throw error("'" + name + "' already has a value that is no array of tables");
        }
        OpenTable element = new OpenTable(Origin.HEADER, line);
        tables.tables.add(element);
        return element;
    }

    /** One step of a header's path: the named table, or the last element of an array of tables. */
    private OpenTable descend(OpenTable parent, String name) throws TomlException {
        Object existing = parent.entries.get(name);
        if (existing == null) {
            OpenTable table = new OpenTable(Origin.IMPLICIT, line);
            parent.entries.put(name, table);
            return table;
        }
        if (existing instanceof OpenTables tables) {
            return tables.tables.getLast();
        }
        if (existing instanceof OpenTable table && table.origin != Origin.INLINE) {
            return table;
        }
        throw error("'" + name + "' already has a value; nothing can be added below it");
    }

    private void keyValue(OpenTable table) throws TomlException {
        int keyLine = line;
        List<String> path = keyPath();
        expect('=', "'=' after the key '" + String.join(".", path) + "'");
        skipSpaces();
        OpenTable target = table;
        for (String name : path.subList(0, path.size() - 1)) {
            Object existing = target.entries.get(name);
            if (existing == null) {
                OpenTable made = new OpenTable(Origin.DOTTED, keyLine);
                target.entries.put(name, made);
                target = made;
            } else if (existing instanceof OpenTable made && made.origin == Origin.DOTTED) {
                target = made;
            } else {
                throw error("'" + name + "' cannot be added to by a dotted key");
            }
        }
        Object value = value();
        if (target.entries.putIfAbsent(path.getLast(), value) != null) {
            throw new TomlException(
                    keyLine, "the key '" + String.join(".", path) + "' was already given a value");
        }
    }

    private List<String> keyPath() throws TomlException {
        List<String> path = new ArrayList<>(4);
        do {
            skipSpaces();
            path.add(simpleKey());
            skipSpaces();
            if (path.size() > MAX_DEPTH) {
                throw error("a key has more than " + MAX_DEPTH + " parts");
            }
        } while (take('.'));
        return path;
    }

    private String simpleKey() throws TomlException {
        int c = peek();
        if (c == '"' || c == '\'') {
            if (startsWith("\"\"\"") || startsWith("'''")) {
                throw error("a key cannot be a text of several lines");
            }
            return c == '"' ? basicText() : literalText();
        }
        int start = at;
        while (isBareKeyCharacter(peek())) {
            at++;
        }
        if (at == start) {
            throw error("expected a key, found " + found());
        }
        return text.substring(start, at);
    }

    private Object value() throws TomlException {
        int start = line;
        int c = peek();
        return switch (c) {
            case '"' ->
                    new TomlValue.Text(startsWith("\"\"\"") ? basicLines() : basicText(), start);
            case '\'' ->
                    new TomlValue.Text(startsWith("'''") ? literalLines() : literalText(), start);
            case '[' -> array();
            case '{' -> inlineTable();
            default -> scalar();
        };
    }

    private TomlValue.Array array() throws TomlException {
        int start = line;
        enter();
        at++;
        List<TomlValue> values = new ArrayList<>();
        while (true) {
            skipBlankLines();
            if (take(']')) {
                depth--;
                return new TomlValue.Array(values, start);
            }
            values.add(closed(value()));
            skipBlankLines();
            if (!take(',') && peek() != ']') {
                throw error(
                        "expected ',' or ']' in the array that begins on line "
                                + start
                                + ", found "
                                + found());
            }
        }
    }

    private OpenTable inlineTable() throws TomlException {
        enter();
        at++;
        OpenTable table = new OpenTable(Origin.INLINE, line);
        skipSpaces();
        if (!take('}')) {
            do {
                keyValue(table);
                skipSpaces();
            } while (take(','));
            expect('}', "',' or '}' in a table in braces, which must stay on one line");
        }
        depth--;
        return table;
    }

    private void enter() throws TomlException {
        if (++depth > MAX_DEPTH) {
            throw error("values are nested more than " + MAX_DEPTH + " deep");
        }
    }

    // Texts

    private String basicText() throws TomlException {
        at++;
        StringBuilder value = new StringBuilder();
        while (true) {
            int c = peek();
            if (c == '"') {
                at++;
                return value.toString();
            }
            if (c == '\\') {
                escape(value);
            } else {
                value.append(plain("\""));
            }
        }
    }

    private String literalText() throws TomlException {
        at++;
        int start = at;
        while (peek() != '\'') {
            plain("'");
        }
        return text.substring(start, at++);
    }

    private String basicLines() throws TomlException {
        at += 3;
        skipNewLine();
        StringBuilder value = new StringBuilder();
        while (!closesLines('"', value)) {
            if (peek() == '\\') {
                if (!continuation()) {
                    escape(value);
                }
            } else {
                plainOrNewLine(value, "\"\"\"");
            }
        }
        return value.toString();
    }

    private String literalLines() throws TomlException {
        at += 3;
        skipNewLine();
        StringBuilder value = new StringBuilder();
        while (!closesLines('\'', value)) {
            plainOrNewLine(value, "'''");
        }
        return value.toString();
    }

    /** Three quotes close a text of lines; one or two more just before them belong to it. */
    private boolean closesLines(char quote, StringBuilder value) {
        int quotes = 0;
        while (quotes < 5 && at + quotes < text.length() && text.charAt(at + quotes) == quote) {
            quotes++;
        }
        if (quotes == 0) {
            return false;
        }
        at += quotes;
        int content = quotes >= 3 ? quotes - 3 : quotes;
        for (int i = 0; i < content; i++) {
            value.append(quote);
        }
        return quotes >= 3;
    }

    private void plainOrNewLine(StringBuilder value, String closing) throws TomlException {
        if (skipNewLine()) {
            value.append('\n');
        } else {
            value.append(plain(closing));
        }
    }

    /** A backslash at the end of a line swallows all white space up to the next word. */
    private boolean continuation() {
        int next = at + 1;
        while (next < text.length() && (text.charAt(next) == ' ' || text.charAt(next) == '\t')) {
            next++;
        }
        if (next >= text.length() || (text.charAt(next) != '\n' && text.charAt(next) != '\r')) {
            return false;
        }
        at = next;
        boolean more = true;
        while (more) {
            more = skipNewLine() || take(' ') || take('\t');
        }
        return true;
    }

    private char plain(String closing) throws TomlException {
        int c = peek();
        if (c == END || c == '\n' || c == '\r') {
            throw error("a text is not closed by " + closing);
        }
        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            throw error(String.format("the control character U+%04X must be escaped", c));
        }
        at++;
        return (char) c;
    }

    private void escape(StringBuilder value) throws TomlException {
        at++;
        int c = peek();
        at++;
        switch (c) {
            case 'b' -> value.append('\b');
            case 't' -> value.append('\t');
            case 'n' -> value.append('\n');
            case 'f' -> value.append('\f');
            case 'r' -> value.append('\r');
            case '"' -> value.append('"');
            case '\\' -> value.append('\\');
            case 'u' -> unicode(value, 4);
            case 'U' -> unicode(value, 8);
            default -> {
                at--;
                throw error(
                        "a backslash must be followed by one of b t n f r \" \\ u U; write \\\\"
                                + " for a backslash, or use '…'");
            }
        }
    }

    private void unicode(StringBuilder value, int digits) throws TomlException {
        int codePoint = 0;
        for (int i = 0; i < digits; i++) {
            int c = peek();
            if (!HexFormat.isHexDigit(c)) {
                throw error("\\" + (digits == 4 ? 'u' : 'U') + " needs " + digits + " digits");
            }
            codePoint = codePoint << 4 | HexFormat.fromHexDigit(c);
            at++;
        }
        if (!Character.isValidCodePoint(codePoint)
                || (codePoint >= Character.MIN_SURROGATE && codePoint <= Character.MAX_SURROGATE)) {
            throw error(String.format("U+%X is no Unicode character", codePoint));
        }
        value.appendCodePoint(codePoint);
    }

    // Booleans, numbers, dates

    private TomlValue scalar() throws TomlException {
        int start = at;
        while (isScalarCharacter(peek())) {
            at++;
        }
        // A date and a time may be parted by one space.
        if (at - start == 10
                && text.charAt(start + 4) == '-'
                && peek() == ' '
                && at + 2 < text.length()
                && isDigit(text.charAt(at + 1))) {
            at++;
            while (isScalarCharacter(peek())) {
                at++;
            }
        }
        String word = text.substring(start, at);
        if (word.isEmpty()) {
            throw error("expected a value, found " + found());
        }
        return switch (word) {
            case "true" -> new TomlValue.Truth(true, line);
            case "false" -> new TomlValue.Truth(false, line);
            case "inf", "+inf" -> new TomlValue.Decimal(Double.POSITIVE_INFINITY, line);
            case "-inf" -> new TomlValue.Decimal(Double.NEGATIVE_INFINITY, line);
            case "nan", "+nan", "-nan" -> new TomlValue.Decimal(Double.NaN, line);
            default -> looksLikeTime(word) ? time(word) : number(word);
        };
    }

    private static boolean isScalarCharacter(int c) {
        return isBareKeyCharacter(c) || c == '+' || c == '.' || c == ':';
    }

    private static boolean looksLikeTime(String word) {
        return (word.length() >= 10 && word.charAt(4) == '-' && word.charAt(7) == '-')
                || (word.length() >= 5 && word.charAt(2) == ':');
    }

    private TomlValue time(String word) throws TomlException {
        try {
            String iso = word.replace(' ', 'T').replace('t', 'T').replace('z', 'Z');
            int t = iso.indexOf('T');
            String clock = t < 0 ? iso : iso.substring(t + 1);
            if (t < 0 && word.charAt(2) != ':') {
                LocalDate.parse(iso);
            } else {
                // java.time lets the seconds be left out, TOML does not.
                if (clock.length() < 8 || clock.charAt(5) != ':') {
                    throw new DateTimeException("no seconds");
                }
                if (t < 0) {
                    LocalTime.parse(iso);
                } else if (clock.endsWith("Z")
                        || clock.indexOf('+') > 0
                        || clock.indexOf('-') > 0) {
                    OffsetDateTime.parse(iso);
                } else {
                    LocalDate.parse(iso.substring(0, t));
                    LocalTime.parse(clock);
                }
            }
            return new TomlValue.Time(word, line);
        } catch (DateTimeException e) {
            throw error("'" + word + "' is neither a date nor a time");
        }
    }

    private TomlValue number(String word) throws TomlException {
        String digits = withoutUnderscores(word);
        if (digits != null) {
            try {
                int radix = radix(digits);
                if (radix != 10) {
                    if (isDigitOf(radix, digits.charAt(2))) {
                        return new TomlValue.Whole(
                                Long.parseLong(digits.substring(2), radix), line);
                    }
                } else if (isDecimalShape(digits)) {
                    if (isWhole(digits)) {
                        return new TomlValue.Whole(Long.parseLong(digits), line);
                    }
                    return new TomlValue.Decimal(Double.parseDouble(digits), line);
                }
            } catch (NumberFormatException e) {
                throw error("'" + word + "' is not a number of 64 bits");
            }
        }
        throw error("'" + word + "' is not a value; a text must stand in quotes");
    }

    private static int radix(String digits) {
        if (digits.length() < 3 || digits.charAt(0) != '0') {
            return 10;
        }
        return switch (digits.charAt(1)) {
            case 'x' -> 16;
            case 'o' -> 8;
            case 'b' -> 2;
            default -> 10;
        };
    }

    private static boolean isDigitOf(int radix, char c) {
        return Character.digit(c, radix) >= 0;
    }

    /** Underscores must stand between two digits. Null when one does not. */
    private static @Nullable String withoutUnderscores(String word) {
        if (word.indexOf('_') < 0) {
            return word;
        }
        int radix = word.startsWith("0x") ? 16 : 10;
        StringBuilder digits = new StringBuilder(word.length());
        for (int i = 0; i < word.length(); i++) {
            char c = word.charAt(i);
            if (c != '_') {
                digits.append(c);
            } else if (i == 0
                    || i == word.length() - 1
                    || Character.digit(word.charAt(i - 1), radix) < 0
                    || Character.digit(word.charAt(i + 1), radix) < 0) {
                return null;
            }
        }
        return digits.toString();
    }

    /** A sign, digits without leading zero, then perhaps a fraction and an exponent. */
    private static boolean isDecimalShape(String word) {
        int i = word.charAt(0) == '+' || word.charAt(0) == '-' ? 1 : 0;
        int whole = digitsAt(word, i);
        if (whole == 0 || (whole > 1 && word.charAt(i) == '0')) {
            return false;
        }
        i += whole;
        if (i < word.length() && word.charAt(i) == '.') {
            int fraction = digitsAt(word, i + 1);
            if (fraction == 0) {
                return false;
            }
            i += 1 + fraction;
        }
        if (i < word.length() && (word.charAt(i) == 'e' || word.charAt(i) == 'E')) {
            i++;
            if (i < word.length() && (word.charAt(i) == '+' || word.charAt(i) == '-')) {
                i++;
            }
            int exponent = digitsAt(word, i);
            if (exponent == 0) {
                return false;
            }
            i += exponent;
        }
        return i == word.length();
    }

    private static boolean isWhole(String word) {
        return word.indexOf('.') < 0 && word.indexOf('e') < 0 && word.indexOf('E') < 0;
    }

    private static int digitsAt(String word, int start) {
        int i = start;
        while (i < word.length() && isDigit(word.charAt(i))) {
            i++;
        }
        return i - start;
    }

    private static boolean isDigit(char c) {
        return c >= '0' && c <= '9';
    }

    // Characters

    private int peek() {
        return at < text.length() ? text.charAt(at) : END;
    }

    private boolean take(char c) {
        if (peek() == c) {
            at++;
            return true;
        }
        return false;
    }

    private boolean startsWith(String prefix) {
        return text.startsWith(prefix, at);
    }

    private void expect(char c, String what) throws TomlException {
        skipSpaces();
        if (!take(c)) {
            throw error("expected " + what + ", found " + found());
        }
    }

    private void skipSpaces() {
        while (peek() == ' ' || peek() == '\t') {
            at++;
        }
    }

    private void skipBlankLines() throws TomlException {
        do {
            skipSpaces();
            skipComment();
        } while (skipNewLine());
    }

    private void endOfLine() throws TomlException {
        skipSpaces();
        skipComment();
        if (peek() != END && !skipNewLine()) {
            throw error("expected the end of the line, found " + found());
        }
    }

    private void skipComment() throws TomlException {
        if (peek() != '#') {
            return;
        }
        while (peek() != END && peek() != '\n' && !startsWith("\r\n")) {
            int c = peek();
            if ((c < 0x20 && c != '\t') || c == 0x7f) {
                throw error(String.format("the control character U+%04X is in a comment", c));
            }
            at++;
        }
    }

    private boolean skipNewLine() {
        if (peek() == '\n') {
            at++;
        } else if (startsWith("\r\n")) {
            at += 2;
        } else {
            return false;
        }
        line++;
        return true;
    }

    private String found() {
        int c = peek();
        return switch (c) {
            case END -> "the end of the file";
            case '\n', '\r' -> "the end of the line";
            default -> "'" + Character.toString(text.codePointAt(at)) + "'";
        };
    }

    private TomlException error(String message) {
        return new TomlException(line, message);
    }

    // From tables under construction to immutable ones

    private static TomlValue.Table close(OpenTable table) {
        Map<String, TomlValue> values = LinkedHashMap.newLinkedHashMap(table.entries.size());
        for (Map.Entry<String, Object> entry : table.entries.entrySet()) {
            values.put(entry.getKey(), closed(entry.getValue()));
        }
        return new TomlValue.Table(values, table.line);
    }

    private static TomlValue closed(Object value) {
        if (value instanceof OpenTable table) {
            return close(table);
        }
        if (value instanceof OpenTables tables) {
            List<TomlValue> closed = new ArrayList<>(tables.tables.size());
            for (OpenTable table : tables.tables) {
                closed.add(close(table));
            }
            return new TomlValue.Array(closed, tables.line);
        }
        return (TomlValue) value;
    }
}
