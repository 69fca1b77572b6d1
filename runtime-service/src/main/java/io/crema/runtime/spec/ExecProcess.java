package io.crema.runtime.spec;

import io.crema.base.ErrorKind;
import io.crema.oci.spec.SpecJson;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
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
        List<String> checked = ProcessCommand.checked(command, "cmd: no command to run");
        try {
            return SpecJson.process(Files.readAllBytes(file), checked, terminal);
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL,
                    "cannot read the container's specification " + file + ": " + e,
                    e);
        }
    }

    /** The same process with a terminal that has its size before the process runs. */
    public static byte[] withSize(byte[] json, int columns, int rows) {
        String size = "{\"consoleSize\":{\"height\":" + rows + ",\"width\":" + columns + "},";
        byte[] first = size.getBytes(StandardCharsets.US_ASCII);
        // Takes the place of the opening brace; our own specifications have no such field.
        byte[] sized = Arrays.copyOf(first, first.length + json.length - 1);
        System.arraycopy(json, 1, sized, first.length, json.length - 1);
        return sized;
    }
}
