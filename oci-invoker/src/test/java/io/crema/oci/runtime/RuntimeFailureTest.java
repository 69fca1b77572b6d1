package io.crema.oci.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.base.ContainerId;
import io.crema.base.ErrorKind;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the author of a pod reads, for errors as the runtimes wrote them. */
class RuntimeFailureTest {
    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '\0',
            value = {
                "INVALID_ARGUMENT|the command \"nope\" was not found in the container's PATH"
                        + "|runc create failed: unable to start container process: exec: \"nope\":"
                        + " executable file not found in $PATH",
                "INVALID_ARGUMENT|the command \"/nope\" does not exist"
                        + "|runc create failed: unable to start container process: exec: \"/nope\": stat"
                        + " /nope: no such file or directory",
                "INVALID_ARGUMENT|the command \"/bin\" is not an executable file"
                        + "|runc create failed: unable to start container process: exec: \"/bin\":"
                        + " permission denied",
                "INVALID_ARGUMENT|the command \"/nope\" does not exist"
                        + "|failed to create container: exec process failed with error error in"
                        + " executing process : executable '/nope' not found in $PATH",
                "INVALID_ARGUMENT|the command \"nope\" was not found"
                        + "|failed to create container: exec process failed with error error in"
                        + " executing process : executable 'nope' not found in $PATH",
                "INVALID_ARGUMENT|the command \"/etc\" is not an executable file"
                        + "|failed to create container: exec process failed with error error in"
                        + " executing process : executable '/etc' at path '\"/etc\"' does not have"
                        + " correct permissions",
                "INVALID_ARGUMENT|the command \"nope\" was not found"
                        + "|executable file `nope` not found in $PATH: No such file or directory",
                "INVALID_ARGUMENT|is not a program for this machine"
                        + "|exec /x: exec format error",
                "INVALID_ARGUMENT|the working directory cannot be entered"
                        + "|runc create failed: unable to start container process: chdir to cwd (\"/x\")"
                        + " set in config.json failed: permission denied",
                "RESOURCE_EXHAUSTED|raise its memory limit"
                        + "|runc create failed: unable to start container process: container init was"
                        + " OOM-killed (memory limit too low?)",
                "FAILED_PRECONDITION|cgroup v2 alone"
                        + "|cgroups in hybrid mode not supported, drop all controllers from cgroupv2",
                "NOT_FOUND|knows no such container|container does not exist",
                "FAILED_PRECONDITION|stopped|cannot start a container that has stopped",
                "FAILED_PRECONDITION|stopped|exec failed: cannot exec in a stopped container",
                "INTERNAL|mounting|error mounting \"/a\" to rootfs at \"/b\": no such device",
            })
    void isReadable(ErrorKind kind, String part, String error) {
        RuntimeFailure failure = RuntimeFailure.of(error, ContainerId.random());
        assertThat(failure.kind()).isEqualTo(kind);
        assertThat(failure.text()).contains(part).contains(error);
    }
}
