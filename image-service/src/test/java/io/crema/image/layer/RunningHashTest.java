package io.crema.image.layer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Digest;
import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class RunningHashTest {
    private static Digest hash(RunningHash hash, byte[] bytes) {
        ByteBuffer buffer = ByteBuffer.allocateDirect(bytes.length + 3);
        buffer.position(3).put(bytes).flip();
        try (hash) {
            int position = 3;
            while (position < buffer.limit()) {
                int length = Math.min(1000, buffer.limit() - position);
                ByteBuffer piece = buffer.duplicate().position(position).limit(position + length);
                hash.update(piece);
                assertThat(piece.remaining()).isEqualTo(length);
                position += length;
            }
            return hash.digest();
        }
    }

    @Tag("root")
    @ParameterizedTest
    @ValueSource(strings = {"sha256", "sha512"})
    void opensslAndTheJdkAgree(String algorithm) {
        for (int length : new int[] {0, 1, 999, 1000, 123_456}) {
            byte[] bytes = new byte[length];
            new Random(length).nextBytes(bytes);
            ContentHash expected = ContentHash.by(algorithm);
            expected.update(bytes, 0, length);
            Digest digest = expected.digest();
            assertThat(hash(new JdkHash(algorithm), bytes)).isEqualTo(digest);
            assertThat(hash(OpenSslHash.create(algorithm), bytes)).isEqualTo(digest);
        }
    }

    /** Its address is none, and would crash the JVM. */
    @Tag("root")
    @Test
    void opensslRefusesABufferOnTheHeap() {
        try (OpenSslHash hash = OpenSslHash.create("sha256")) {
            assertThatThrownBy(() -> hash.update(ByteBuffer.wrap(new byte[1000])))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("direct");
            assertThat(hash.digest()).isEqualTo(ContentHash.of(new byte[0]));
        }
    }
}
