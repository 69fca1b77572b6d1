package io.crema.runtime.cgroup;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.conf.RuntimeConfiguration.CgroupManager;
import io.crema.runtime.state.PodException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CgroupPlacementTest {
    private static final CgroupPlacement CGROUPFS = new CgroupPlacement(CgroupManager.CGROUPFS);
    private static final CgroupPlacement SYSTEMD = new CgroupPlacement(CgroupManager.SYSTEMD);

    @ParameterizedTest
    @CsvSource({
        "/kubepods/burstable/pod1, /kubepods/burstable/pod1",
        "/kubepods//pod1/, /kubepods/pod1",
        "/, /",
        "'', /crema"
    })
    void cgroupfsTakesPaths(String requested, String parent) {
        assertThat(CGROUPFS.parent(requested)).isEqualTo(parent);
    }

    @ParameterizedTest
    @ValueSource(strings = {"kubepods", "kubepods.slice", "/a/../b", "/..", "/./a"})
    void cgroupfsRefusesOthers(String requested) {
        assertThatThrownBy(() -> CGROUPFS.parent(requested)).isInstanceOf(PodException.class);
    }

    @ParameterizedTest
    @CsvSource({
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice,"
                + " kubepods-burstable-pod1.slice",
        "test.slice, test.slice",
        "'', system.slice"
    })
    void systemdTakesTheLastSlice(String requested, String parent) {
        assertThat(SYSTEMD.parent(requested)).isEqualTo(parent);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/kubepods/pod1", "/a.slice/b", ".slice", "-a.slice", "a--b.slice"})
    void systemdRefusesOthers(String requested) {
        assertThatThrownBy(() -> SYSTEMD.parent(requested)).isInstanceOf(PodException.class);
    }

    @Test
    void namesCgroupsAsCadvisorKnowsThem() {
        assertThat(CGROUPFS.specPath("/kubepods/pod1", "id")).isEqualTo("/kubepods/pod1/crio-id");
        assertThat(CGROUPFS.specPath("/", "id")).isEqualTo("/crio-id");
        assertThat(CGROUPFS.directory("/kubepods/pod1", "id").value())
                .isEqualTo("/kubepods/pod1/crio-id");
        assertThat(CGROUPFS.monitor("/kubepods/pod1", "id"))
                .isEqualTo("/kubepods/pod1/crio-conmon-id");

        assertThat(SYSTEMD.specPath("kubepods-pod1.slice", "id"))
                .isEqualTo("kubepods-pod1.slice:crio:id");
        assertThat(SYSTEMD.directory("kubepods-pod1.slice", "id").value())
                .isEqualTo("/kubepods.slice/kubepods-pod1.slice/crio-id.scope");
        assertThat(SYSTEMD.monitor("system.slice", "id")).isEqualTo("crio-conmon-id.scope");
        assertThat(SYSTEMD.parentDirectory("-.slice").value()).isEqualTo("/");
        assertThat(SYSTEMD.parentDirectory("a-b-c.slice").value())
                .isEqualTo("/a.slice/a-b.slice/a-b-c.slice");
    }
}
