package io.crema.base;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.exc.ValueInstantiationException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class IdsTest {
    private static final String HEX =
            "00ff1234567890abcdef1234567890abcdef1234567890abcdef1234567890ab";

    private final ObjectMapper json = new ObjectMapper();

    /** A record as other modules persist it. */
    record Persisted(ContainerId container, PodSandboxId sandbox, ImageId image, Digest digest) {}

    @Test
    void randomIdsHaveTheRightShapeAndDiffer() {
        Set<String> seen = new HashSet<>();
        for (int i = 0; i < 1000; i++) {
            seen.add(ContainerId.random().value());
            seen.add(PodSandboxId.random().value());
        }
        assertThat(seen).hasSize(2000).allMatch(id -> id.matches("[0-9a-f]{64}"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "00ff",
                "00FF1234567890abcdef1234567890abcdef1234567890abcdef1234567890ab",
                "g0ff1234567890abcdef1234567890abcdef1234567890abcdef1234567890ab",
                "00ff1234567890abcdef1234567890abcdef1234567890abcdef1234567890ab0",
                "../../../../../../../../../../../../../../../../../../etc/passwd"
            })
    void otherShapesAreRefusedWithTheKindOfIdAndTheText(String text) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new ContainerId(text))
                .withMessageContaining("container id")
                .withMessageContaining("'" + text + "'");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new PodSandboxId(text))
                .withMessageContaining("pod sandbox id");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new ImageId(text))
                .withMessageContaining("image id");
    }

    @Test
    void shortFormIsWhatCrictlPrints() {
        assertThat(new ContainerId(HEX).shortForm()).isEqualTo("00ff123456789");
        assertThat(new PodSandboxId(HEX).shortForm()).isEqualTo("00ff123456789");
    }

    @Test
    void textIsTheBareId() {
        assertThat(new ContainerId(HEX)).hasToString(HEX);
        assertThat(new PodSandboxId(HEX)).hasToString(HEX);
        assertThat(new ImageId(HEX)).hasToString(HEX);
    }

    @Test
    void orderIsThatOfTheText() {
        ContainerId low = new ContainerId("0" + HEX.substring(1));
        ContainerId high = new ContainerId("f" + HEX.substring(1));
        assertThat(List.of(high, low).stream().sorted()).containsExactly(low, high);
    }

    @Test
    void survivesJson() throws Exception {
        Persisted persisted =
                new Persisted(
                        new ContainerId(HEX),
                        new PodSandboxId(HEX),
                        new ImageId(HEX),
                        Digest.sha256(HEX));
        String text = json.writeValueAsString(persisted);
        assertThat(json.readTree(text).get("container").textValue()).isEqualTo(HEX);
        assertThat(json.readTree(text).get("digest").textValue()).isEqualTo("sha256:" + HEX);
        assertThat(json.readValue(text, Persisted.class)).isEqualTo(persisted);
    }

    @Test
    void aDamagedIdInJsonIsRefused() {
        assertThatThrownBy(() -> json.readValue("\"beef\"", ContainerId.class))
                .isInstanceOf(ValueInstantiationException.class)
                .hasMessageContaining("container id must be 64");
    }
}
