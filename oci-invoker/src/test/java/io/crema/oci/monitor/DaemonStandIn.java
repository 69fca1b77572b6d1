package io.crema.oci.monitor;

import io.crema.base.ContainerId;
import io.crema.oci.lab.OciLab;
import io.crema.oci.lab.OciLab.Container;
import java.nio.file.Path;
import java.time.Duration;

/** A process of its own that starts a container and waits to be killed. */
final class DaemonStandIn {
    private DaemonStandIn() {}

    /**
     * @param arguments directory, runtime, conmon, cgroup, container id, then the command
     */
    public static void main(String[] arguments) throws Exception {
        String[] command = new String[arguments.length - 5];
        System.arraycopy(arguments, 5, command, 0, command.length);
        OciLab lab =
                new OciLab(
                        Path.of(arguments[0]),
                        Path.of(arguments[1]),
                        Path.of(arguments[2]),
                        arguments[3]);
        Container container = lab.container(new ContainerId(arguments[4]), command).start();
        System.out.println("running " + container.monitored().monitorPid());
        Thread.sleep(Duration.ofHours(1));
    }
}
