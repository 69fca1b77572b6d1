package io.crema.runtime.spec;

import io.crema.base.ErrorKind;
import io.crema.oci.spec.ContainerProcess;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.oci.spec.SpecJson;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A further process in a container: it runs as the first one does, with the same user, environment,
 * capabilities, limits and confinement.
 */
public final class ExecProcess {
    private ExecProcess() {}

    /**
     * Reads the container's own specification from its bundle.
     *
     * @return the JSON that exec takes
     */
    public static byte[] json(Path bundle, List<String> command, boolean terminal) {
        Path file = bundle.resolve(BuiltSpec.CONFIG_FILE);
        RuntimeSpec spec;
        try {
            spec = SpecJson.read(Files.readAllBytes(file));
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL,
                    "cannot read the container's specification " + file + ": " + e,
                    e);
        }
        return SpecJson.write(of(spec.process(), command, terminal));
    }

    static ContainerProcess of(ContainerProcess first, List<String> command, boolean terminal) {
        List<String> environment = new ArrayList<>(first.env());
        if (terminal && environment.stream().noneMatch(entry -> entry.startsWith("TERM="))) {
            environment.add("TERM=xterm");
        }
        return new ContainerProcess(
                terminal,
                first.user(),
                ProcessCommand.checked(command, "cmd: no command to run"),
                environment,
                first.cwd(),
                first.capabilities(),
                first.rlimits(),
                first.noNewPrivileges(),
                first.oomScoreAdj(),
                first.apparmorProfile(),
                first.selinuxLabel());
    }
}
