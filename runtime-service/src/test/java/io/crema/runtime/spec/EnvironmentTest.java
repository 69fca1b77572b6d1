package io.crema.runtime.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import io.crema.cri.v1.KeyValue;
import io.crema.runtime.state.PodException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EnvironmentTest {
    private static final String PATH =
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private static KeyValue variable(String name, String value) {
        return KeyValue.newBuilder().setKey(name).setValue(ByteString.copyFromUtf8(value)).build();
    }

    private static List<String> entries(
            List<String> defaults, List<String> ofImage, KeyValue... requested) {
        return Environment.of(defaults, ofImage, List.of(requested), "pod").entries();
    }

    @Test
    void hasAPathAndAHostname() {
        assertThat(entries(List.of(), List.of())).containsExactly(PATH, "HOSTNAME=pod");
    }

    @Test
    void laterSettingsWin() {
        assertThat(
                        entries(
                                List.of("A=default", "B=default", "C=default"),
                                List.of("B=image", "C=image", "PATH=/image"),
                                variable("C", "request"),
                                variable("C", "again")))
                .containsExactly("PATH=/image", "A=default", "B=image", "C=again", "HOSTNAME=pod");
    }

    @Test
    void hostnameIsThePodsUnlessTheRequestSaysOtherwise() {
        assertThat(entries(List.of(), List.of("HOSTNAME=builder"))).contains("HOSTNAME=pod");
        assertThat(entries(List.of(), List.of(), variable("HOSTNAME", "mine")))
                .contains("HOSTNAME=mine");
    }

    @Test
    void keepsValuesAsTheyAre() {
        assertThat(
                        entries(
                                List.of(),
                                List.of("X=a=b", "EMPTY=", "BARE"),
                                variable("Y", "two\nlines = \"\u00e9\u4e16\"")))
                .contains("X=a=b", "EMPTY=", "BARE=", "Y=two\nlines = \"\u00e9\u4e16\"");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "A=B", "A\0B"})
    void refusesNamesThatCannotBe(String name) {
        assertThatThrownBy(() -> entries(List.of(), List.of(), variable(name, "x")))
                .isInstanceOf(PodException.class)
                .hasMessageContaining("cannot be the name of an environment variable");
    }

    @Test
    void refusesValuesThatTheSpecificationCannotCarry() {
        KeyValue latin1 =
                KeyValue.newBuilder()
                        .setKey("NAME")
                        .setValue(ByteString.copyFrom(new byte[] {'o', (byte) 0xe9}))
                        .build();

        assertThatThrownBy(() -> entries(List.of(), List.of(), latin1))
                .isInstanceOf(PodException.class)
                .hasMessageContaining("envs: the value of NAME is not UTF-8")
                .hasMessageContaining("base64");
        assertThatThrownBy(() -> entries(List.of(), List.of(), variable("NAME", "a\0b")))
                .hasMessageContaining("the value of NAME holds a NUL");
    }

    @Test
    void homeComesFromPasswdUnlessSet() {
        Environment unset = Environment.of(List.of(), List.of(), List.of(), "pod");
        unset.home("/home/app", "image");
        Environment set = Environment.of(List.of(), List.of("HOME=/image"), List.of(), "pod");
        set.home("/home/app", "image");

        assertThat(unset.entries()).contains("HOME=/home/app");
        assertThat(set.entries()).contains("HOME=/image").doesNotContain("HOME=/home/app");
    }

    @Test
    void refusesAHomeWithALineBreak() {
        Environment environment = Environment.of(List.of(), List.of(), List.of(), "pod");

        assertThatThrownBy(() -> environment.home("/home\nEVIL=1", "image"))
                .isInstanceOf(PodException.class)
                .hasMessageContaining("/etc/passwd of the image image");
    }
}
