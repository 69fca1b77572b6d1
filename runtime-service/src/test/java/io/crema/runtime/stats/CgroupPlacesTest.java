package io.crema.runtime.stats;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.conf.RuntimeConfiguration.CgroupManager;
import io.crema.runtime.cgroup.CgroupPath;
import io.crema.runtime.cgroup.CgroupPlacement;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.PodSandbox;
import io.crema.runtime.state.ProcessIdentity;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CgroupPlacesTest {
    private static final String ID = "a".repeat(64);
    private static final String UID = "12345678-9abc-def0";

    @TempDir Path directory;

    private final CgroupPlaces cgroupfs =
            new CgroupPlaces(new CgroupPlacement(CgroupManager.CGROUPFS));
    private final CgroupPlaces systemd =
            new CgroupPlaces(new CgroupPlacement(CgroupManager.SYSTEMD));

    private PodSandbox pod(String uid, String parent) {
        return FakeNode.versionTwo(directory).pod(ID, FakeNode.podConfig("pod", uid), parent);
    }

    @Test
    void kubeletsCgroupHoldsOnePod() {
        assertThat(cgroupfs.ofWholePod(pod(UID, "/kubepods/burstable/pod" + UID)))
                .contains(new CgroupPath("/kubepods/burstable/pod" + UID));
        assertThat(systemd.ofWholePod(pod(UID, "kubepods-pod12345678_9abc_def0.slice")))
                .contains(new CgroupPath("/kubepods.slice/kubepods-pod12345678_9abc_def0.slice"));
    }

    @Test
    void otherCgroupsMayHoldMany() {
        for (String parent : new String[] {"/crema", "/pods", "/pod" + UID + "0", "/pod", "/"}) {
            assertThat(cgroupfs.ofWholePod(pod(UID, parent))).as(parent).isEmpty();
        }
        assertThat(cgroupfs.ofWholePod(pod("", "/pod"))).isEmpty();
        assertThat(systemd.ofWholePod(pod(UID, "system.slice"))).isEmpty();
    }

    @Test
    void containersAndInitProcessesHaveTheirNames() {
        PodSandbox pod = pod(UID, "");
        assertThat(cgroupfs.ofInit(pod)).isEqualTo(new CgroupPath("/crema/crio-" + ID));
        Container container =
                FakeNode.versionTwo(directory)
                        .container(ID, pod(UID, "a-b.slice"), "c", new ProcessIdentity(1, 1));
        assertThat(systemd.of(container))
                .isEqualTo(new CgroupPath("/a.slice/a-b.slice/crio-" + ID + ".scope"));
    }
}
