package io.crema.runtime.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.Device;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.oci.spec.LinuxResources.DeviceRule;
import io.crema.oci.spec.LinuxSpec;
import io.crema.runtime.state.PodException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** With the devices that every Linux has: null, zero and ptmx. */
class DevicePlanTest {
    private static final DeviceRule DENY_ALL = new DeviceRule(false, null, null, null, "rwm");
    private static final DeviceRule ALLOW_ALL = new DeviceRule(true, null, null, null, "rwm");
    private final DevicePlan plan = new DevicePlan(JnaLinux.load());

    private static Device device(String host, String container, String permissions) {
        return Device.newBuilder()
                .setHostPath(host)
                .setContainerPath(container)
                .setPermissions(permissions)
                .build();
    }

    @Test
    void deniesAllButTheUsual() {
        plan.addUsualRules();

        assertThat(plan.nodes()).isEmpty();
        assertThat(plan.rules()).startsWith(DENY_ALL).doesNotContain(ALLOW_ALL);
        assertThat(plan.rules())
                .contains(
                        new DeviceRule(true, "c", 1L, 3L, "rwm"),
                        new DeviceRule(true, "c", 136L, null, "rwm"));
    }

    @Test
    void addsANodeAndARule() {
        plan.add("devices[0]", device("/dev/null", "/dev/mine", "rw"), false);

        assertThat(plan.nodes())
                .containsExactly(new LinuxSpec.Device("c", "/dev/mine", 1L, 3L, 0666, 0L, 0L));
        assertThat(plan.rules()).containsExactly(DENY_ALL, new DeviceRule(true, "c", 1L, 3L, "rw"));
    }

    @Test
    void placeIsTheHostsUnlessGiven() {
        plan.add("devices[0]", device("/dev/zero", "", "r"), false);

        assertThat(plan.nodes()).extracting(LinuxSpec.Device::path).containsExactly("/dev/zero");
    }

    @Test
    void belongsToTheContainersUserIfSoConfigured() {
        plan.ownedBy(1000L, 2000L);
        plan.add("devices[0]", device("/dev/zero", "", "r"), false);

        assertThat(plan.nodes())
                .containsExactly(
                        new LinuxSpec.Device("c", "/dev/zero", 1L, 5L, 0666, 1000L, 2000L));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "x", "rwx", "rwmr", "RW", "r w"})
    void refusesOtherPermissions(String permissions) {
        assertThatThrownBy(
                        () -> plan.add("devices[0]", device("/dev/null", "", permissions), false))
                .isInstanceOf(PodException.class)
                .hasMessageContaining("devices[0].permissions");
    }

    @ParameterizedTest
    @CsvSource({
        "/dev/there-is-none, there is no device",
        "/etc/passwd, is not a device",
        "/proc/self/task, there is no device in",
        "dev/null, must be an absolute path",
        "'', must be an absolute path"
    })
    void refusesWhatIsNoDevice(String path, String message) {
        assertThatThrownBy(() -> plan.add("devices[0]", device(path, "/dev/x", "r"), false))
                .isInstanceOf(PodException.class)
                .hasMessageContaining("devices[0]")
                .hasMessageContaining(message);
    }

    @Test
    void addsAllDevicesOfADirectory() {
        plan.add("devices[0]", device("/dev", "/dev/all", "r"), false);

        assertThat(plan.nodes())
                .extracting(LinuxSpec.Device::path)
                .contains("/dev/all/null", "/dev/all/zero")
                .noneMatch(path -> path.startsWith("/dev/all/pts"));
        assertThat(plan.rules()).contains(new DeviceRule(true, "c", 1L, 5L, "r"));
    }

    @Test
    void privilegedHasTheHostsDevices() {
        plan.addHostDevices();

        assertThat(plan.nodes())
                .extracting(LinuxSpec.Device::path)
                .contains("/dev/null", "/dev/zero")
                .doesNotHaveDuplicates()
                .noneMatch(path -> path.startsWith("/dev/pts/") || path.startsWith("/dev/shm/"))
                .doesNotContain("/dev/console");
        assertThat(plan.rules()).containsExactly(DENY_ALL, ALLOW_ALL);
    }

    @Test
    void privilegedMustNotHideADeviceBehindAnother() {
        plan.addHostDevices();

        assertThatThrownBy(
                        () -> plan.add("devices[0]", device("/dev/null", "/dev/zero", "r"), true))
                .isInstanceOf(PodException.class)
                .hasMessageContaining("/dev/zero is another device of the node");
        plan.add("devices[0]", device("/dev/null", "/dev/null", "r"), true);
        plan.add("devices[1]", device("/dev/null", "/dev/none-such", "r"), true);
        assertThat(plan.nodes()).extracting(LinuxSpec.Device::path).contains("/dev/none-such");
    }

    @ParameterizedTest
    @CsvSource({
        "/dev/null, /dev/null, rwm",
        "/dev/null:/dev/mine, /dev/mine, rwm",
        "/dev/null:r, /dev/null, r",
        "/dev/null:/dev/mine:rw, /dev/mine, rw"
    })
    void readsConfiguredDevices(String text, String place, String permissions) {
        plan.addConfigured(text);

        assertThat(plan.nodes()).extracting(LinuxSpec.Device::path).containsExactly(place);
        assertThat(plan.rules().getLast().access()).isEqualTo(permissions);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/dev/null:/a:r:x", "null", "/dev/null:x", "/dev/null:mine:r", ""})
    void refusesConfiguredNonsense(String text) {
        assertThatThrownBy(() -> plan.addConfigured(text))
                .isInstanceOf(PodException.class)
                .hasMessageContaining("additional_devices");
    }
}
