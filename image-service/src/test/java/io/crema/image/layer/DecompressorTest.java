package io.crema.image.layer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.github.luben.zstd.Zstd;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Each decompressor with all kinds of input, in pieces of awkward sizes. */
final class DecompressorTest {
    private static final byte[] TEXT =
            "the quick brown fox jumps over the lazy dog, "
                    .repeat(3000)
                    .getBytes(StandardCharsets.US_ASCII);

    private interface Maker {
        Decompressor make();
    }

    private static Decompressor jdk() {
        return new GzipDecompressor(new JdkGzipMember());
    }

    private static Decompressor isal() {
        return new GzipDecompressor(IsalGzipMember.create());
    }

    private static byte[] decompress(Maker maker, byte[] compressed, int inStep, int outStep)
            throws IOException {
        ByteArrayOutputStream plain = new ByteArrayOutputStream();
        ByteBuffer in = ByteBuffer.allocateDirect(Math.max(inStep, 1)).flip();
        ByteBuffer out = ByteBuffer.allocateDirect(outStep);
        int position = 0;
        try (Decompressor decompressor = maker.make()) {
            while (true) {
                decompressor.decompress(in, out);
                boolean full = !out.hasRemaining();
                byte[] piece = new byte[out.flip().remaining()];
                out.get(piece);
                plain.writeBytes(piece);
                out.clear();
                if (!full && !in.hasRemaining()) {
                    if (position == compressed.length) {
                        break;
                    }
                    int length = Math.min(inStep, compressed.length - position);
                    in.clear().put(compressed, position, length).flip();
                    position += length;
                }
            }
            decompressor.finish();
        }
        return plain.toByteArray();
    }

    private static byte[] join(byte[]... parts) {
        ByteArrayOutputStream joined = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            joined.writeBytes(part);
        }
        return joined.toByteArray();
    }

    private static byte[] noise(int length) {
        byte[] bytes = new byte[length];
        new Random(length).nextBytes(bytes);
        return bytes;
    }

    /** A member whose header has every optional part. */
    private static byte[] decorated(byte[] plain) {
        byte[] simple = TarBytes.gzip(plain);
        ByteArrayOutputStream member = new ByteArrayOutputStream();
        member.writeBytes(new byte[] {0x1f, (byte) 0x8b, 8, 2 | 4 | 8 | 16, 1, 2, 3, 4, 0, 3});
        member.writeBytes(new byte[] {5, 0, 'e', 'x', 't', 'r', 'a'});
        member.writeBytes("name\0comment\0".getBytes(StandardCharsets.US_ASCII));
        CRC32 crc = new CRC32();
        crc.update(member.toByteArray());
        member.write((int) crc.getValue());
        member.write((int) crc.getValue() >> 8);
        member.write(simple, 10, simple.length - 10);
        return member.toByteArray();
    }

    private void readsMembers(Maker maker) throws IOException {
        byte[] compressed =
                join(
                        TarBytes.gzip(TEXT),
                        TarBytes.gzip(new byte[0]),
                        decorated(noise(70_000)),
                        TarBytes.gzip(new byte[] {1}));
        byte[] plain = join(TEXT, noise(70_000), new byte[] {1});
        for (int inStep : new int[] {1, 2, 7, 13, 4096, 1 << 20}) {
            for (int outStep : new int[] {1, 5, 1000, 1 << 20}) {
                assertThat(decompress(maker, compressed, inStep, outStep))
                        .as("%d in, %d out", inStep, outStep)
                        .isEqualTo(plain);
            }
        }
    }

    private void refusesDamage(Maker maker) throws IOException {
        byte[] whole = join(TarBytes.gzip(noise(300)), TarBytes.gzip(TEXT));
        for (int length = 0; length < whole.length; length++) {
            byte[] cut = Arrays.copyOf(whole, length);
            if (length == TarBytes.gzip(noise(300)).length) {
                assertThat(decompress(maker, cut, 64, 64)).isEqualTo(noise(300));
            } else {
                assertThatThrownBy(() -> decompress(maker, cut, 64, 64))
                        .as("cut after %d", length)
                        .isInstanceOf(DamagedLayerException.class);
            }
        }
        byte[] plain = join(noise(300), TEXT);
        for (int at = 0; at < whole.length; at++) {
            byte[] flipped = whole.clone();
            flipped[at] ^= 0x10;
            try {
                // Time, operating system and the like may be anything.
                assertThat(decompress(maker, flipped, 64, 4096)).isEqualTo(plain);
            } catch (DamagedLayerException e) {
                assertThat(e).hasMessageContaining("gzip");
            }
        }
        assertThatThrownBy(() -> decompress(maker, join(whole, new byte[] {0}), 64, 64))
                .hasMessageContaining("follows");
    }

    @Test
    void theJdkReadsMembers() throws IOException {
        readsMembers(DecompressorTest::jdk);
    }

    @Test
    void theJdkRefusesDamage() throws IOException {
        refusesDamage(DecompressorTest::jdk);
    }

    @Test
    @Tag("root")
    void isalReadsMembers() throws IOException {
        readsMembers(DecompressorTest::isal);
    }

    @Test
    @Tag("root")
    void isalRefusesDamage() throws IOException {
        refusesDamage(DecompressorTest::isal);
    }

    @Test
    void zstdReadsFrames() throws IOException {
        byte[] skippable = {0x51, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c'};
        byte[] compressed =
                join(skippable, Zstd.compress(TEXT), skippable, Zstd.compress(noise(70_000)));
        byte[] plain = join(TEXT, noise(70_000));
        for (int inStep : new int[] {1, 7, 4096, 1 << 20}) {
            for (int outStep : new int[] {1, 1000, 1 << 20}) {
                assertThat(decompress(ZstdDecompressor::new, compressed, inStep, outStep))
                        .as("%d in, %d out", inStep, outStep)
                        .isEqualTo(plain);
            }
        }
        assertThatThrownBy(() ->
                        decompress(
                                ZstdDecompressor::new,
                                Arrays.copyOf(compressed, compressed.length - 1),
                                64,
                                64))
                .isInstanceOf(DamagedLayerException.class);
        assertThatThrownBy(() ->
                        decompress(
                                ZstdDecompressor::new,
                                join(compressed, new byte[] {1, 2, 3, 4, 5, 6, 7, 8}),
                                64,
                                64))
                .isInstanceOf(DamagedLayerException.class);
    }

    @Test
    void theFirstBytesTellTheCompression() {
        assertThat(Compression.detect(ByteBuffer.wrap(TarBytes.gzip(TEXT))))
                .isEqualTo(Compression.GZIP);
        assertThat(Compression.detect(ByteBuffer.wrap(Zstd.compress(TEXT))))
                .isEqualTo(Compression.ZSTD);
        assertThat(Compression.detect(ByteBuffer.wrap(new byte[] {0x5f, 0x2a, 0x4d, 0x18})))
                .isEqualTo(Compression.ZSTD);
        assertThat(Compression.detect(ByteBuffer.wrap(new TarBytes().file("x", "x").end())))
                .isEqualTo(Compression.NONE);
        assertThat(Compression.detect(ByteBuffer.wrap(new byte[0]))).isEqualTo(Compression.NONE);
    }
}
