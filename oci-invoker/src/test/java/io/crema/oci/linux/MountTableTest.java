package io.crema.oci.linux;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.oci.linux.LinuxMounts.MountEntry;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Lines as kernels write them. */
class MountTableTest {
    private static List<MountEntry> parse(String text) {
        return MountTable.parse(text.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void readsAllFields() {
        assertThat(
                        parse(
                                "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 shared:7 -"
                                        + " ext3 /dev/root rw,errors=continue\n"))
                .containsExactly(
                        new MountEntry(
                                36,
                                35,
                                Path.of("/mnt1"),
                                Path.of("/mnt2"),
                                "rw,noatime",
                                List.of("master:1", "shared:7"),
                                "ext3",
                                "/dev/root",
                                "rw,errors=continue"));
    }

    @Test
    void resolvesOctalEscapes() {
        MountEntry entry =
                parse("1 2 0:5 / /a\\040b\\011c\\012d\\134e\\0401 rw - tmpfs my\\040fs rw\n")
                        .getFirst();
        assertThat(entry.mountPoint()).isEqualTo(Path.of("/a b\tc\nd\\e 1"));
        assertThat(entry.source()).isEqualTo("my fs");
        assertThat(MountTable.unescape("trailing\\04")).isEqualTo("trailing\\04");
        assertThat(MountTable.unescape("\\999")).isEqualTo("\\999");
    }

    @Test
    void readsNamespaceFilesAndEmptySources() {
        List<MountEntry> entries =
                parse(
                        """
                        90 27 0:4 net:[4026532200] /run/ns/x/net rw - nsfs nsfs rw
                        91 27 0:99 / /y rw,relatime shared:3 - tmpfs  rw,size=4k
                        """);
        assertThat(entries.getFirst().root()).hasToString("net:[4026532200]");
        assertThat(entries.getLast().source()).isEmpty();
        assertThat(entries.getLast().superOptions()).isEqualTo("rw,size=4k");
        assertThat(entries.getLast().isShared()).isTrue();
        assertThat(entries.getLast().isSlave()).isFalse();
    }

    @Test
    void emptyTableIsEmpty() {
        assertThat(parse("")).isEmpty();
    }
}
