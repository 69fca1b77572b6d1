package io.crema.image.layer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class TarReaderTest {
    private record Read(TarEntry entry, String content) {}

    /** Reads an archive that comes in pieces of the given size. */
    private static List<Read> read(byte[] tar, int step) throws IOException {
        int[] position = {0};
        PlainBytes source =
                () -> {
                    if (position[0] == tar.length) {
                        return null;
                    }
                    int length = Math.min(step, tar.length - position[0]);
                    ByteBuffer piece = ByteBuffer.wrap(tar, position[0], length).slice();
                    position[0] += length;
                    return piece;
                };
        TarReader reader = new TarReader(source, UnpackLimits.defaults());
        List<Read> all = new ArrayList<>();
        TarEntry entry;
        while ((entry = reader.next()) != null) {
            StringBuilder content = new StringBuilder();
            // Every third content is passed over, to see that the reader stays in step.
            if (all.size() % 3 != 2) {
                ByteBuffer piece;
                while ((piece = reader.content()) != null) {
                    content.append(StandardCharsets.UTF_8.decode(piece));
                }
            }
            all.add(new Read(entry, content.toString()));
        }
        return all;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7, 511, 512, 513, 1 << 20})
    void staysInStepWhateverThePieces(int step) throws IOException {
        byte[] tar =
                new TarBytes()
                        .directory("./", 0755)
                        .file("./a", "first")
                        .file("skipped", "x".repeat(1000))
                        .pax("path", "b/c", "mtime", "12.5")
                        .file("x", "y".repeat(512))
                        .gnuLong('L', "long")
                        .symbolicLink("x", "./../target")
                        .file("skipped too", "z")
                        .owner(1L << 31, 077777777L)
                        .hardLink("h", "./b//c")
                        .end();
        List<Read> all = read(tar, step);
        assertThat(all.stream().map(read -> read.entry().path()))
                .containsExactly("", "a", "skipped", "b/c", "long", "skipped too", "h");
        assertThat(all.get(1).content()).isEqualTo("first");
        assertThat(all.get(3).content()).isEqualTo("y".repeat(512));
        assertThat(all.get(3).entry().modifiedSeconds()).isEqualTo(12);
        assertThat(all.get(3).entry().modifiedNanos()).isEqualTo(500_000_000);
        assertThat(all.get(4).entry().linkTarget()).isEqualTo("./../target");
        assertThat(all.get(6).entry().linkTarget()).isEqualTo("b/c");
        assertThat(all.get(6).entry().uid()).isEqualTo(1L << 31);
        assertThat(all.get(6).entry().gid()).isEqualTo(077777777L);
    }

    @Test
    void readsTheUstarPrefix() throws IOException {
        TarBytes tar = new TarBytes();
        byte[] header = tar.header('0', "name", "", 0644, 0);
        byte[] prefix = "some/where".getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(prefix, 0, header, 345, prefix.length);
        tar.raw(TarBytes.sum(header));
        assertThat(read(tar.end(), 512).getFirst().entry().path()).isEqualTo("some/where/name");
    }

    @Test
    void gnuHeadersHaveNoPrefix() throws IOException {
        TarBytes tar = new TarBytes();
        byte[] header = tar.header('0', "name", "", 0644, 0);
        byte[] magic = "ustar  \0".getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(magic, 0, header, 257, magic.length);
        // Access and change times lie where ustar has its prefix.
        byte[] times = "14524770421\00014524770421".getBytes(StandardCharsets.US_ASCII);
        System.arraycopy(times, 0, header, 345, times.length);
        tar.raw(TarBytes.sum(header));
        assertThat(read(tar.end(), 512).getFirst().entry().path()).isEqualTo("name");
    }

    @Test
    void readsOldDirectoriesAndContiguousFiles() throws IOException {
        byte[] tar =
                new TarBytes()
                        .entry('0', "old/", "", 0755, new byte[0])
                        .entry('7', "contiguous", "", 0644, new byte[] {'x'})
                        .entry('\0', "older", "", 0644, new byte[] {'y'})
                        .end();
        List<Read> all = read(tar, 512);
        assertThat(all.get(0).entry().type()).isEqualTo(TarEntry.Kind.DIRECTORY);
        assertThat(all.get(1).entry().type()).isEqualTo(TarEntry.Kind.REGULAR_FILE);
        assertThat(all.get(2).entry().type()).isEqualTo(TarEntry.Kind.REGULAR_FILE);
    }

    @Test
    void passesOverGlobalHeadersAndEndsWithoutAMarker() throws IOException {
        byte[] tar =
                new TarBytes()
                        .entry(
                                'g',
                                "pax_global_header",
                                "",
                                0644,
                                "30 path=everything/everywhere\n"
                                        .getBytes(StandardCharsets.US_ASCII))
                        .file("x", "x")
                        .cut();
        assertThat(read(tar, 512).getFirst().entry().path()).isEqualTo("x");
        assertThat(read(new byte[0], 512)).isEmpty();
        assertThat(read(new byte[512], 512)).isEmpty();
    }

    @Test
    void numbersCanBeNegativeOnlyInTimes() throws IOException {
        TarBytes tar = new TarBytes().modified(-86_400).file("old", "x");
        assertThat(read(tar.end(), 512).getFirst().entry().modifiedSeconds()).isEqualTo(-86_400);
        byte[] owner = new TarBytes().owner(-1, 0).file("x", "x").end();
        assertThatThrownBy(() -> read(owner, 512)).hasMessageContaining("uid");
    }

    @Test
    void messagesShowHostileNamesTamed() {
        byte[] tar = new TarBytes().file("/\u001b[31m\n" + "x".repeat(80), "x").end();
        assertThatThrownBy(() -> read(tar, 512))
                .hasMessageContaining("'/?[31m?xxx")
                .hasMessageContaining("absolute");
    }
}
