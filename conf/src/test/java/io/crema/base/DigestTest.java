package io.crema.base;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DigestTest {
    private static final String HEX = "ab".repeat(32);

    @Test
    void readsBothAlgorithms() {
        assertThat(Digest.parse("sha256:" + HEX)).isEqualTo(Digest.sha256(HEX));
        Digest long512 = Digest.parse("sha512:" + HEX + HEX);
        assertThat(long512.algorithm()).isEqualTo("sha512");
        assertThat(long512).hasToString("sha512:" + HEX + HEX);
    }

    @ParameterizedTest
    @CsvSource({
        "sha256, must be algorithm:hex",
        ":beef, must be algorithm:hex",
        "'', must be algorithm:hex",
        "md5:d41d8cd98f00b204e9800998ecf8427e, only sha256 and sha512",
        "sha256:beef, 64 lower-case",
        "sha512:abababababababababababababababababababababababababababababababab, 128 lower-case",
        "sha256:ABababababababababababababababababababababababababababababababab, 64 lower-case",
        "sha256:../babababababababababababababababababababababababababababababab, 64 lower-case",
    })
    void whatCannotBeVerifiedIsRefused(String text, String reason) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Digest.parse(text))
                .withMessageContaining(reason);
    }
}
