package io.crema.runtime.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.ErrorKind;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Look-ups by id and by prefix. */
class InventoryTest {
    private static final String ONE = RecordFixtures.id("aaa1", '0');
    private static final String TWO = RecordFixtures.id("aaa2", '0');

    private final Layout layout =
            new Layout(Path.of("/root"), Path.of("/run"), Path.of("/run"), Path.of("/run/boot"));
    private final Inventory inventory = new Inventory();

    @BeforeEach
    void fill() {
        inventory.add(new PodSandbox(layout, RecordFixtures.sandbox(ONE)));
        inventory.add(new PodSandbox(layout, RecordFixtures.sandbox(TWO)));
        inventory.add(new Container(layout, RecordFixtures.container(ONE, TWO)));
    }

    @Test
    void findsByIdAndByUniquePrefix() {
        assertThat(inventory.sandbox(ONE).id().value()).isEqualTo(ONE);
        assertThat(inventory.sandbox("aaa2").id().value()).isEqualTo(TWO);
        assertThat(inventory.container("aaa").id().value()).isEqualTo(ONE);
        assertThat(inventory.containersOf(inventory.sandbox(TWO).id())).hasSize(1);
        assertThat(inventory.containersOf(inventory.sandbox(ONE).id())).isEmpty();
    }

    @Test
    void tellsWhatIsMissingAmbiguousOrEmpty() {
        assertKind(ErrorKind.NOT_FOUND, "bbb", "no pod sandbox with id bbb");
        assertKind(ErrorKind.NOT_FOUND, "f".repeat(64), "no pod sandbox");
        assertKind(ErrorKind.INVALID_ARGUMENT, "aaa", "beginning of 2 pod sandbox ids");
        assertKind(ErrorKind.INVALID_ARGUMENT, "", "pod_sandbox_id is empty");
    }

    @Test
    void forgetsWhatIsRemoved() {
        inventory.remove(inventory.sandbox(ONE));
        assertThat(inventory.findSandbox(ONE)).isEmpty();
        assertThat(inventory.sandbox("aaa").id().value()).isEqualTo(TWO);
    }

    private void assertKind(ErrorKind kind, String id, String text) {
        assertThatThrownBy(() -> inventory.sandbox(id))
                .isInstanceOfSatisfying(
                        PodException.class, e -> assertThat(e.kind()).isEqualTo(kind))
                .hasMessageContaining(text);
    }
}
