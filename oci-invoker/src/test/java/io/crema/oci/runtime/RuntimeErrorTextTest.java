package io.crema.oci.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.base.ContainerId;
import org.junit.jupiter.api.Test;

/** Texts as runc 1.1.5, crun 1.8.1 and youki 0.7.0 wrote them on the machine of the author. */
class RuntimeErrorTextTest {
    private static final ContainerId ID = ContainerId.random();

    @Test
    void runcJsonLine() {
        String output =
                """
                {"level":"warning","msg":"something mild","time":"2026-11-21T04:40:17Z"}
                {"level":"error","msg":"container does not exist","time":"2026-11-21T04:40:17Z"}
                """;
        assertThat(RuntimeErrorText.last(output)).contains("container does not exist");
    }

    @Test
    void crunJsonLine() {
        String output =
                "{\"msg\":\"error opening file `/run/crun/x/status`: No such file or directory\","
                        + "\"level\":\"error\",\"time\":\"2026-11-21T04:40:54.596018Z\"}";
        assertThat(RuntimeErrorText.last(output))
                .contains("error opening file `/run/crun/x/status`: No such file or directory");
    }

    @Test
    void youkiSaysItTwiceWithATrace() {
        String output =
                """
                {"level":"ERROR","message":"cannot kill container due to incorrect state"}
                {"level":"ERROR","message":"error in executing command: container not running\\n\\nCaused by:\\n    failed operation due to incompatible container status: `Stopped`\\n\\nStack backtrace:\\n   0: <unknown>"}
                Error: container not running

                Caused by:
                    failed operation due to incompatible container status: `Stopped`

                Stack backtrace:
                   0: <unknown>
                """;
        assertThat(RuntimeErrorText.last(output))
                .contains(
                        "container not running: failed operation due to incompatible container"
                                + " status: `Stopped`");
    }

    @Test
    void youkiPlainText() {
        String output =
                """
                ERROR youki: error in executing command: failed
                Error: failed to create container: executable 'x' not found in $PATH

                Caused by:
                    a reason

                Stack backtrace:
                   0: <unknown>
                """;
        assertThat(RuntimeErrorText.last(output))
                .contains(
                        "failed to create container: executable 'x' not found in $PATH: a reason");
    }

    @Test
    void runcPlainText() {
        String output = "time=\"2026-11-21T04:40:55Z\" level=error msg=\"exec: \\\"x\\\": no\"\n";
        assertThat(RuntimeErrorText.last(output)).contains("exec: \"x\": no");
    }

    @Test
    void lastLineWhenNothingIsKnown() {
        assertThat(RuntimeErrorText.last("one\ntwo\n\n")).contains("two");
        assertThat(RuntimeErrorText.last("{\"half a json\n")).isEmpty();
        assertThat(RuntimeErrorText.last("")).isEmpty();
        assertThat(RuntimeErrorText.last("\n \n")).isEmpty();
    }

    @Test
    void lengthIsBounded() {
        assertThat(RuntimeErrorText.last("x".repeat(100_000)).orElseThrow().length())
                .isLessThan(3000);
    }

    @Test
    void missingContainerInAllDialects() {
        for (String text :
                new String[] {
                    "container does not exist",
                    "container " + ID + " does not exist",
                    "container state directory does not exist",
                    "error opening file `/r/" + ID + "/status`: No such file or directory",
                    "cannot open directory '/r/" + ID + "': No such file or directory"
                }) {
            assertThat(RuntimeErrorText.saysNoSuchContainer(text, ID)).as(text).isTrue();
        }
        assertThat(
                        RuntimeErrorText.saysNoSuchContainer(
                                "exec: \"/x\": stat /x: no such file or directory", ID))
                .isFalse();
        assertThat(
                        RuntimeErrorText.saysNoSuchContainer(
                                "invalid rootfs: stat /run/crema/containers/"
                                        + ID
                                        + "/rootfs: no such file or directory",
                                ID))
                .isFalse();
    }
}
