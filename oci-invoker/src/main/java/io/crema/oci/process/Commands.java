package io.crema.oci.process;

import io.crema.base.Deadline;
import io.crema.oci.linux.LinuxProcesses.ExitStatus;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/**
 * Runs external commands (OCI runtimes, CNI plugins, helpers) to their end. Output beyond the bound
 * is read and dropped so that the child never blocks; at the deadline the child's whole process
 * group is killed and reaped.
 */
public interface Commands {
    /**
     * One command.
     *
     * @param executable absolute path
     * @param arguments without argv[0]
     * @param environment all of it; nothing is inherited
     * @param input bytes for its standard input
     * @param maxOutputBytes how much of each of stdout and stderr is kept
     * @param name argv[0]
     */
    record Command(
            Path executable,
            List<String> arguments,
            Map<String, String> environment,
            byte[] input,
            int maxOutputBytes,
            String name) {
        public Command {
            arguments = List.copyOf(arguments);
            environment = Map.copyOf(environment);
        }

        /** By its path. */
        public Command(
                Path executable,
                List<String> arguments,
                Map<String, String> environment,
                byte[] input,
                int maxOutputBytes) {
            this(executable, arguments, environment, input, maxOutputBytes, executable.toString());
        }

        @Override
        public String toString() {
            return executable.getFileName() + " " + String.join(" ", arguments);
        }
    }

    /** What a command left behind. */
    record Outcome(ExitStatus exit, byte[] stdout, byte[] stderr) {
        public String stdoutText() {
            return new String(stdout, StandardCharsets.UTF_8);
        }

        public String stderrText() {
            return new String(stderr, StandardCharsets.UTF_8);
        }
    }

    /**
     * Runs a command; a non-zero exit is an outcome, not an error.
     *
     * @throws io.crema.base.DeadlineExceededException when it had to be killed
     * @throws io.crema.oci.linux.LinuxException when it could not be started
     */
    Outcome run(Command command, Deadline deadline);
}
