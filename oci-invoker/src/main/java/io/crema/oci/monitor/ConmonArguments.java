package io.crema.oci.monitor;

import io.crema.base.ErrorKind;
import io.crema.oci.monitor.ContainerMonitor.MonitorRequest;
import io.crema.oci.runtime.OciRuntime;
import io.crema.oci.runtime.OciRuntimeException;
import io.crema.oci.runtime.RuntimeEnvironment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * conmon's command line and environment, as conmon 2.1.6 takes them. {@code --full-attach} puts the
 * attach socket into the bundle, so no link to it is left elsewhere; {@code --syslog} is where its
 * messages go, since it gives up its standard error.
 */
final class ConmonArguments {
    /** Numbers of the pipes in conmon, told to it by environment variables. */
    static final int SYNC_PIPE = 3;

    static final int START_PIPE = 4;

    // sun_path has 108 bytes; conmon's name for its console socket is /conmon-term.XXXXXX.
    private static final int LONGEST_SOCKET_DIRECTORY = 107 - "/conmon-term.XXXXXX".length();

    private ConmonArguments() {}

    static List<String> create(
            ConmonSettings settings, MonitorRequest request, MonitorFiles files) {
        List<String> arguments = new ArrayList<>(40);
        String id = request.container().value();
        arguments.add(settings.conmon().toString());
        add(arguments, "--cid", id);
        add(arguments, "--cuuid", id);
        add(arguments, "--name", request.name());
        add(arguments, "--bundle", files.bundle().toString());
        add(arguments, "--persist-dir", files.persistDirectory().toString());
        add(arguments, "--exit-dir", files.exitsDirectory().toString());
        add(arguments, "--container-pidfile", files.containerPid().toString());
        add(arguments, "--conmon-pidfile", files.monitorPid().toString());
        add(arguments, "--log-path", logPath(request));
        arguments.add("--full-attach");
        arguments.add("--syslog");
        if (request.logSizeMaxBytes() > 0) {
            add(arguments, "--log-size-max", Long.toString(request.logSizeMaxBytes()));
        }
        if (!settings.syncLog()) {
            arguments.add("--no-sync-log");
        }
        if (request.terminal()) {
            arguments.add("--terminal");
        }
        if (request.stdin()) {
            arguments.add("--stdin");
            if (!request.stdinOnce()) {
                arguments.add("--leave-stdin-open");
            }
        }
        if (request.systemdCgroup()) {
            arguments.add("--systemd-cgroup");
        }
        addRuntime(arguments, request.runtime(), files.runtimeLog());
        if (request.restoreFrom().isPresent()) {
            add(arguments, "--restore", request.restoreFrom().get().toString());
            for (String option : request.runtime().restoreOptions()) {
                arguments.add("--runtime-opt=" + option);
            }
        }
        return arguments;
    }

    /** conmon hands its whole environment on to the runtime. */
    static Map<String, String> environment(
            List<String> given, Path bundle, boolean terminal, boolean hasStartPipe) {
        Map<String, String> environment = new HashMap<>(RuntimeEnvironment.own());
        if (terminal && bundle.toString().length() <= LONGEST_SOCKET_DIRECTORY) {
            // A console socket left by a failure goes with the bundle instead of staying in /tmp.
            environment.put("TMPDIR", bundle.toString());
        }
        for (String variable : given) {
            int equals = variable.indexOf('=');
            if (equals > 0) {
                environment.put(variable.substring(0, equals), variable.substring(equals + 1));
            }
        }
        environment.put("_OCI_SYNCPIPE", Integer.toString(SYNC_PIPE));
        if (hasStartPipe) {
            environment.put("_OCI_STARTPIPE", Integer.toString(START_PIPE));
        }
        return environment;
    }

    /** conmon cuts the path at a colon even behind the driver's name, and logs elsewhere. */
    private static String logPath(MonitorRequest request) {
        String path = request.logFile().map(Path::toString).orElse("");
        if (path.indexOf(':') >= 0) {
            throw new OciRuntimeException(
                    ErrorKind.INVALID_ARGUMENT,
                    "log path '"
                            + path
                            + "' of container "
                            + request.container()
                            + " has a colon, which conmon cannot take; choose another log directory");
        }
        return path.isEmpty() ? "none" : "k8s-file:" + path;
    }

    private static void addRuntime(List<String> arguments, OciRuntime runtime, Path log) {
        add(arguments, "--runtime", runtime.command().toString());
        for (String argument : runtime.globalArguments(log)) {
            arguments.add("--runtime-arg=" + argument);
        }
    }

    private static void add(List<String> arguments, String option, String value) {
        arguments.add(option);
        arguments.add(value);
    }
}
