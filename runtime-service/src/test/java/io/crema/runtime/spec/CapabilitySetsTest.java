package io.crema.runtime.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.ErrorKind;
import io.crema.oci.spec.ContainerProcess.Capabilities;
import io.crema.runtime.state.PodException;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class CapabilitySetsTest {
    private static final Set<Capability> HELD =
            EnumSet.of(
                    Capability.CHOWN,
                    Capability.KILL,
                    Capability.NET_ADMIN,
                    Capability.NET_RAW,
                    Capability.SYS_ADMIN);
    private static final Set<Capability> DEFAULTS = EnumSet.of(Capability.CHOWN, Capability.KILL);

    private static Capabilities sets(List<String> add, List<String> drop, List<String> ambient) {
        return new CapabilitySets(DEFAULTS, HELD, false)
                .of(
                        io.crema.cri.v1.Capability.newBuilder()
                                .addAllAddCapabilities(add)
                                .addAllDropCapabilities(drop)
                                .addAllAddAmbientCapabilities(ambient)
                                .build());
    }

    private static List<String> bounding(List<String> add, List<String> drop) {
        Capabilities sets = sets(add, drop, List.of());
        assertThat(sets.effective()).isEqualTo(sets.bounding());
        assertThat(sets.permitted()).isEqualTo(sets.bounding());
        assertThat(sets.inheritable()).isEmpty();
        assertThat(sets.ambient()).isEmpty();
        return sets.bounding();
    }

    @Test
    void beginsWithTheDefaults() {
        assertThat(bounding(List.of(), List.of())).containsExactly("CAP_CHOWN", "CAP_KILL");
    }

    @Test
    void takesNamesInAnyForm() {
        assertThat(bounding(List.of("net_raw", "CAP_NET_ADMIN"), List.of("Cap_Kill")))
                .containsExactly("CAP_CHOWN", "CAP_NET_ADMIN", "CAP_NET_RAW");
    }

    @Test
    void addsAllThatTheDaemonHas() {
        assertThat(bounding(List.of("all"), List.of()))
                .containsExactly(
                        "CAP_CHOWN", "CAP_KILL", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_SYS_ADMIN");
    }

    @Test
    void dropsSingleOnesFromAll() {
        assertThat(bounding(List.of("ALL"), List.of("NET_RAW", "SYS_ADMIN")))
                .containsExactly("CAP_CHOWN", "CAP_KILL", "CAP_NET_ADMIN");
    }

    @Test
    void addsSingleOnesToNone() {
        assertThat(bounding(List.of("NET_RAW"), List.of("ALL"))).containsExactly("CAP_NET_RAW");
    }

    @Test
    void dropsWhatIsBothAddedAndDropped() {
        assertThat(bounding(List.of("NET_RAW"), List.of("NET_RAW")))
                .containsExactly("CAP_CHOWN", "CAP_KILL");
    }

    @Test
    void allIsDroppedAfterAllIsAdded() {
        assertThat(bounding(List.of("ALL"), List.of("ALL"))).isEmpty();
    }

    @Test
    void refusesUnknownNames() {
        assertThatThrownBy(() -> sets(List.of("CHOWN", "FLY"), List.of(), List.of()))
                .isInstanceOf(PodException.class)
                .hasMessage(
                        "linux.security_context.capabilities.add_capabilities: unknown capability"
                                + " 'FLY'");
        assertThatThrownBy(() -> sets(List.of(), List.of("FLY"), List.of()))
                .hasMessageContaining("drop_capabilities: unknown capability 'FLY'");
        assertThatThrownBy(() -> sets(List.of(), List.of(), List.of("FLY")))
                .hasMessageContaining("add_ambient_capabilities: unknown capability 'FLY'");
    }

    @Test
    void refusesByNameWhatTheDaemonLacks() {
        assertThatThrownBy(() -> sets(List.of("SYS_TIME"), List.of(), List.of()))
                .hasMessageContaining("runs without CAP_SYS_TIME")
                .extracting(error -> ((PodException) error).kind())
                .isEqualTo(ErrorKind.FAILED_PRECONDITION);
    }

    @Test
    void leavesOutDefaultsThatTheDaemonLacks() {
        Capabilities sets =
                new CapabilitySets(EnumSet.of(Capability.CHOWN, Capability.SYS_TIME), HELD, false)
                        .of(io.crema.cri.v1.Capability.getDefaultInstance());

        assertThat(sets.bounding()).containsExactly("CAP_CHOWN");
    }

    @Test
    void ambientOnesArePermittedAndInheritableToo() {
        Capabilities sets = sets(List.of(), List.of(), List.of("NET_RAW"));

        assertThat(sets.ambient()).containsExactly("CAP_NET_RAW");
        assertThat(sets.inheritable()).containsExactly("CAP_NET_RAW");
        assertThat(sets.permitted()).containsExactly("CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW");
        assertThat(sets.bounding()).contains("CAP_NET_RAW");
        assertThat(sets.effective()).contains("CAP_NET_RAW");
    }

    @Test
    void inheritableByConfiguration() {
        Capabilities sets =
                new CapabilitySets(DEFAULTS, HELD, true)
                        .of(io.crema.cri.v1.Capability.getDefaultInstance());

        assertThat(sets.inheritable()).containsExactly("CAP_CHOWN", "CAP_KILL");
        assertThat(sets.ambient()).isEmpty();
    }

    @Test
    void privilegedIsAllThatTheDaemonHas() {
        assertThat(new CapabilitySets(DEFAULTS, HELD, false).privileged().effective())
                .hasSize(HELD.size());
    }

    @Test
    void readsMasksAsProcShowsThem() {
        assertThat(Capability.ofMask(0x1fffeffffffL))
                .hasSize(40)
                .doesNotContain(Capability.SYS_RESOURCE)
                .contains(Capability.CHOWN, Capability.CHECKPOINT_RESTORE);
        assertThat(Capability.ofMask(-1L)).hasSize(41);
    }
}
