package io.crema.runtime.spec;

import io.crema.cri.v1.ContainerConfig;
import io.crema.image.ImageConfiguration;
import io.crema.runtime.state.PodException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/** What a container runs, and where: the request's words over the image's. */
final class ProcessCommand {
    private static final Set<String> INITS =
            Set.of("/sbin/init", "/usr/sbin/init", "/usr/local/sbin/init");

    private ProcessCommand() {}

    /**
     * A command replaces the image's entrypoint and command; arguments alone replace its command.
     */
    static List<String> arguments(
            ContainerConfig config, ImageConfiguration image, String imageName) {
        List<String> arguments = new ArrayList<>();
        if (config.getCommandCount() > 0) {
            arguments.addAll(config.getCommandList());
            arguments.addAll(config.getArgsList());
        } else {
            arguments.addAll(image.entrypoint());
            arguments.addAll(config.getArgsCount() > 0 ? config.getArgsList() : image.command());
        }
        return checked(
                arguments,
                "no command: neither the request nor the image " + imageName + " says what to run");
    }

    static List<String> checked(List<String> arguments, String whenEmpty) {
        if (arguments.isEmpty()) {
            throw PodException.invalid(whenEmpty);
        }
        for (String argument : arguments) {
            if (argument.indexOf('\0') >= 0) {
                throw PodException.invalid("an argument of the command holds a NUL");
            }
        }
        return List.copyOf(arguments);
    }

    static String workingDirectory(ContainerConfig config, ImageConfiguration image) {
        String requested = config.getWorkingDir();
        if (!requested.isEmpty() && !requested.startsWith("/")) {
            throw PodException.invalid(
                    "working_dir must be an absolute path, not '" + requested + "'");
        }
        String directory = requested.isEmpty() ? image.workingDirectory() : requested;
        if (directory.indexOf('\0') >= 0) {
            throw PodException.invalid("working_dir holds a NUL");
        }
        return Path.of("/").resolve(directory).normalize().toString();
    }

    /** Whether this is an init that expects a machine rather than a process to run in. */
    static boolean isSystemd(List<String> arguments) {
        String program = arguments.getFirst();
        return INITS.contains(program) || Path.of(program).endsWith("systemd");
    }
}
