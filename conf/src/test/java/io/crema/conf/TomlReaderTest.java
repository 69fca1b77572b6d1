package io.crema.conf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.toml.TomlMapper;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TomlReaderTest {
    private static final TomlMapper JACKSON = new TomlMapper();

    @Test
    void knowsTheLineOfEachValue() throws TomlException {
        TomlValue.Table root =
                TomlReader.read(
                        """
                        # a comment
                        [crio]
                        root = "/x" # another

                        [crio.runtime]
                        hooks_dir = [
                            "/a",
                            "/b",
                        ]
                        text = \"""
                        two
                        lines\"""
                        last = 1
                        """);
        TomlValue.Table crio = table(root, "crio");
        assertThat(crio.value("root")).isEqualTo(new TomlValue.Text("/x", 3));
        TomlValue.Table runtime = table(crio, "runtime");
        assertThat(runtime.line()).isEqualTo(5);
        assertThat(runtime.value("hooks_dir"))
                .isEqualTo(
                        new TomlValue.Array(
                                List.of(new TomlValue.Text("/a", 7), new TomlValue.Text("/b", 8)),
                                6));
        assertThat(runtime.value("text")).isEqualTo(new TomlValue.Text("two\nlines", 10));
        assertThat(runtime.value("last")).isEqualTo(new TomlValue.Whole(1, 13));
    }

    private static TomlValue.Table table(TomlValue.Table parent, String key) {
        return (TomlValue.Table) Objects.requireNonNull(parent.value(key));
    }

    /** Documents whose meaning Jackson's reader, which has other authors, must share. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "\n\n# only comments\r\n#",
                "a = 1\r\nb = 2\r\n",
                "a=true\nb=false",
                "a = 0\nb = -17\nc = +99\nd = 1_000\ne = -0",
                "a = 0xDEAD_beef\nb = 0o755\nc = 0b1101",
                "a = 3.14\nb = -0.01\nc = 5e+22\nd = 1E06\ne = 6.626e-34\nf = 9_224.5",
                "a = \"\"\nb = ''\nc = \"tab\\t quote\\\" back\\\\ nl\\n cr\\r ff\\f bs\\b\"",
                "a = \"\\u00e9\\U0001F600 \u00e9\"",
                "a = 'C:\\dir\\x'\nb = '<\\i\\c*\\s*>'",
                "a = \"\"\"\nfirst\nsecond\"\"\"",
                "a = \"\"\"one \\\n\n      two\\  \n three\"\"\"",
                "a = \"\"\"with \"quotes\" and \"\"two\"\"\"",
                "a = \"\"\"end\"\"\"\"",
                "a = \"\"\"end\"\"\"\"\"",
                "a = '''\nraw \\n text\n'''\nb = '''don't'''\nc = ''''quoted''''",
                "a = []\nb = [1, 2, 3]\nc = [ [1], [2, 3] ]\nd = [1,]\ne = [\n1, # one\n\n2\n]",
                "a = {}\nb = { x = 1, y = { z = 'q' } }\nc = [ { a = 1 }, { b = 2 } ]",
                "a.b.c = 1\na.b.d = 2\na.e = 3",
                "a . b = 1\n'quoted key' = 2\n\"k\\n\" = 3\n'' = 4\n3.14 = 5",
                "[a]\nx = 1\n[a.b]\ny = 2\n[c.d.e]\nz = 3\n[c]\nw = 4",
                "[a.b.c]\nx = 1\n[a]\ny = 2",
                "[ a . 'b c' ]\nx = 1",
                "[[p]]\nn = 1\n[[p]]\n[[p]]\nn = 3",
                "[[f]]\nn = 'a'\n[f.p]\nc = 1\n[[f.v]]\nn = 'x'\n[[f.v]]\nn = 'y'\n[[f]]\nn = 'b'\n"
                        + "[[f.v]]\nn = 'z'",
                "[fruit]\napple.color = 1\napple.taste.sweet = true\n[fruit.apple.texture]\nx = 1",
                "unqualified-search-registries = [\"a\"]\n[[registry]]\nprefix = \"*.e.com\"\n"
                        + "[[registry.mirror]]\nlocation = \"m\"\n[aliases]\n\"a\" = \"b/c\"",
                "a = 1979-05-27T07:32:00Z\nb = 1979-05-27 00:32:00.999-07:00\n"
                        + "c = 1979-05-27T07:32:00\nd = 1979-05-27\ne = 07:32:00.5",
                "a = 1 # no new line at the end",
            })
    void readsWhatJacksonReads(String document) throws Exception {
        assertThat(plain(TomlReader.read(document))).isEqualTo(plain(JACKSON.readTree(document)));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "a",
                "a =",
                "= 1",
                "a = 1 b = 2",
                "a = 1\na = 2",
                "a.b = 1\na.b = 2",
                "a = 1\na.b = 2",
                "a = \"open",
                "a = 'open",
                "a = \"\"\"open\n\n",
                "a = '''open''",
                "a = \"new\nline\"",
                "a = \"\\q\"",
                "a = \"\\u12\"",
                "a = \"\\uD800\"",
                "a = \"\\U00110000\"",
                "a = \"\u0001\"",
                "a = [1, 2",
                "a = [1 2]",
                "a = [,]",
                "a = { x = 1",
                "a = { x = 1, }",
                "a = { x = 1\n}",
                "a = { x = 1, x = 2 }",
                "a = 01",
                "a = 1__0",
                "a = _1",
                "a = 1_",
                "a = 1e_5",
                "a = +0x1",
                "a = 0x",
                "a = 0xG",
                "a = 0b2",
                "a = .5",
                "a = 5.",
                "a = 1.e5",
                "a = 9223372036854775808",
                "a = True",
                "a = yes",
                "a = 2024-13-01",
                "a = 2024-02-30",
                "a = 25:00:00",
                "a = 12:30",
                "[a]\n[a]",
                "[a]\n[[a]]",
                "[[a]]\n[a]",
                "a = [1]\n[[a]]",
                "a = {}\n[a.b]",
                "a = {}\na.b = 1",
                "[a]\nb.c = 1\n[a.b]",
                "[a.b]\nx = 1\n[a]\nb.y = 2",
                "[a",
                "[]",
                "[a.]",
                "[[a] ]",
                "[[a]",
                "[a] x = 1",
                "\"\"\"k\"\"\" = 1",
                "a b = 1",
                "a = 1 # \u0007",
                "a = 1\rb = 2",
            })
    void refusesWhatIsNotToml(String document) {
        assertThatThrownBy(() -> TomlReader.read(document)).isInstanceOf(TomlException.class);
    }

    @Test
    void errorsNameTheLineAndWhatIsWrong() {
        assertThatThrownBy(() -> TomlReader.read("a = 1\n\nb = nope\n"))
                .isInstanceOfSatisfying(TomlException.class, e -> assertThat(e.line()).isEqualTo(3))
                .hasMessageContaining("'nope' is not a value; a text must stand in quotes");
        assertThatThrownBy(() -> TomlReader.read("[a]\nx = 1\n[a]"))
                .isInstanceOfSatisfying(TomlException.class, e -> assertThat(e.line()).isEqualTo(3))
                .hasMessageContaining("[a] was already defined");
        assertThatThrownBy(() -> TomlReader.read("a = [\n1,\n2"))
                .hasMessageContaining("begins on line 1")
                .hasMessageContaining("the end of the file");
    }

    /** Jackson's reader gets these wrong. */
    @Test
    void readsAllIntegersOf64BitsAndAByteOrderMark() throws TomlException {
        TomlValue.Table root =
                TomlReader.read("\uFEFFmax = 9223372036854775807\nmin = -9223372036854775808");
        assertThat(root.value("max")).isEqualTo(new TomlValue.Whole(Long.MAX_VALUE, 1));
        assertThat(root.value("min")).isEqualTo(new TomlValue.Whole(Long.MIN_VALUE, 2));
    }

    @Test
    void nestingIsBounded() {
        assertThatThrownBy(() -> TomlReader.read("a = " + "[".repeat(100_000)))
                .isInstanceOf(TomlException.class)
                .hasMessageContaining("nested");
        assertThatThrownBy(() -> TomlReader.read("a" + ".a".repeat(100_000) + " = 1"))
                .isInstanceOf(TomlException.class)
                .hasMessageContaining("parts");
    }

    @Test
    void readsManyMadeDocumentsAsJacksonDoes() throws Exception {
        Random random = new Random(20261121);
        for (int i = 0; i < 500; i++) {
            String document = document(random);
            assertThat(plain(TomlReader.read(document)))
                    .as(document)
                    .isEqualTo(plain(JACKSON.readTree(document)));
        }
    }

    /** Damage anywhere must end in an error or a table, never in another exception or a hang. */
    @Test
    void damagedDocumentsEndInAnErrorOrATable() {
        Random random = new Random(42);
        String characters = "\"'[]{}=.,#\\\n\r\t ae0_-+:zTx\u0000\u00e9";
        for (int i = 0; i < 3000; i++) {
            StringBuilder document = new StringBuilder(document(random));
            for (int damage = 0; damage < 3; damage++) {
                int at = random.nextInt(document.length() + 1);
                char c = characters.charAt(random.nextInt(characters.length()));
                if (at < document.length() && random.nextBoolean()) {
                    document.setCharAt(at, c);
                } else {
                    document.insert(at, c);
                }
            }
            try {
                assertThat(TomlReader.read(document.toString())).isNotNull();
            } catch (TomlException e) {
                assertThat(e.line()).isPositive();
                assertThat(e).hasMessageNotContaining("null");
            }
        }
    }

    private static String document(Random random) {
        StringBuilder text = new StringBuilder();
        int serial = 0;
        for (int table = 0; table <= random.nextInt(4); table++) {
            if (table > 0) {
                text.append('[').append("t").append(table).append(".u").append("]\n");
            }
            for (int entry = 0; entry < random.nextInt(6); entry++) {
                text.append("k").append(serial++);
                if (random.nextInt(4) == 0) {
                    text.append(" . \"sub key\"");
                }
                text.append(" = ").append(value(random, 0)).append(random.nextBoolean() ? "" : " ");
                text.append(random.nextInt(5) == 0 ? "# comment\r\n" : "\n");
            }
        }
        return text.toString();
    }

    private static String value(Random random, int depth) {
        int kinds = depth > 2 ? 5 : 7;
        return switch (random.nextInt(kinds)) {
            case 0 -> Integer.toString(random.nextInt());
            case 1 -> Boolean.toString(random.nextBoolean());
            case 2 -> TomlValue.quote(text(random));
            case 3 -> "'" + text(random).replaceAll("[^a-z ]", "") + "'";
            case 4 -> Long.toString(random.nextInt(1000)) + "." + random.nextInt(1000);
            case 5 -> {
                List<String> values = new ArrayList<>();
                for (int i = 0; i < random.nextInt(4); i++) {
                    values.add(value(random, depth + 1));
                }
                yield "[ " + String.join(random.nextBoolean() ? ", " : ",\n  ", values) + " ]";
            }
            default -> {
                List<String> entries = new ArrayList<>();
                for (int i = 0; i < random.nextInt(3); i++) {
                    entries.add("e" + i + " = " + value(random, 5));
                }
                yield "{ " + String.join(", ", entries) + " }";
            }
        };
    }

    private static String text(Random random) {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < random.nextInt(12); i++) {
            text.append("ab \"\\'\n\t\u00e9#=[".charAt(random.nextInt(12)));
        }
        return text.toString();
    }

    private static Object plain(TomlValue value) {
        return switch (value) {
            case TomlValue.Text text -> text.value();
            case TomlValue.Whole whole -> whole.value();
            case TomlValue.Decimal decimal -> decimal.value();
            case TomlValue.Truth truth -> truth.value();
            case TomlValue.Time time -> time.value().replace(' ', 'T');
            case TomlValue.Array array -> array.values().stream().map(e -> plain(e)).toList();
            case TomlValue.Table table -> {
                Map<String, Object> values = new LinkedHashMap<>();
                table.values().forEach((key, inner) -> values.put(key, plain(inner)));
                yield values;
            }
        };
    }

    private static Object plain(JsonNode node) {
        if (node.isIntegralNumber()) {
            return node.longValue();
        }
        if (node.isNumber()) {
            return node.doubleValue();
        }
        if (node.isBoolean()) {
            return node.booleanValue();
        }
        if (node.isArray()) {
            List<Object> values = new ArrayList<>();
            node.forEach(element -> values.add(plain(element)));
            return values;
        }
        if (node.isObject()) {
            Map<String, Object> values = new LinkedHashMap<>();
            node.properties().forEach(entry -> values.put(entry.getKey(), plain(entry.getValue())));
            return values;
        }
        return node.asText();
    }
}
