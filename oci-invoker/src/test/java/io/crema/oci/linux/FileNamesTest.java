package io.crema.oci.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Every sequence of bytes survives the way through a string. */
class FileNamesTest {
    private static byte[] roundTrip(byte[] bytes) {
        return FileNames.encode(FileNames.decode(bytes, 0, bytes.length));
    }

    @Test
    void utf8IsItself() {
        String text = "plain-ő-日-\uD83D\uDE00-\uFFFD";
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        assertThat(FileNames.decode(bytes, 0, bytes.length)).isEqualTo(text);
        assertThat(FileNames.encode(text)).isEqualTo(bytes);
    }

    @Test
    void otherBytesBecomeSurrogates() {
        byte[] latin1 = {'h', (byte) 0xE9, 'e'};
        assertThat(FileNames.decode(latin1, 0, 3)).isEqualTo("h\uDCE9e");
        assertThat(roundTrip(latin1)).isEqualTo(latin1);
        assertThat(FileNames.decode(new byte[] {'x', 'y', 'z'}, 1, 1)).isEqualTo("y");
    }

    @Test
    void allSequencesSurvive() {
        Random random = new Random(7);
        for (int i = 0; i < 20_000; i++) {
            byte[] bytes = new byte[random.nextInt(9)];
            random.nextBytes(bytes);
            assertThat(roundTrip(bytes)).isEqualTo(bytes);
        }
        // An encoded surrogate is not valid UTF-8 and must not be taken for one of ours.
        byte[] surrogate = {(byte) 0xED, (byte) 0xB2, (byte) 0x80};
        assertThat(roundTrip(surrogate)).isEqualTo(surrogate);
        byte[] pair = {
            (byte) 0xED, (byte) 0xA0, (byte) 0xBD, (byte) 0xED, (byte) 0xB8, (byte) 0x80
        };
        assertThat(roundTrip(pair)).isEqualTo(pair);
    }
}
