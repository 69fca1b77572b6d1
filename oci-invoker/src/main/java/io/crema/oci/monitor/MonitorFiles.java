package io.crema.oci.monitor;

import io.crema.base.ContainerId;
import java.nio.file.Path;

/** Where conmon's files of one container lie: all names in one place, no file is touched here. */
public record MonitorFiles(
        ContainerId container, Path bundle, Path persistDirectory, Path exitsDirectory) {

    /** The pid of the container's first process, written by the OCI runtime. */
    public Path containerPid() {
        return bundle.resolve("container.pid");
    }

    /** The pid of conmon itself, written by its short-lived parent. */
    public Path monitorPid() {
        return monitorPid(bundle);
    }

    static Path monitorPid(Path bundle) {
        return bundle.resolve("conmon.pid");
    }

    /** The OCI runtime's log of the create call. */
    public Path runtimeLog() {
        return bundle.resolve("runtime.log");
    }

    /** The fifo that takes "1 height width" (resize) and "2 0 0" (reopen the log) lines. */
    public static Path control(Path bundle) {
        return bundle.resolve("ctl");
    }

    /** conmon's own fifo between its parts. */
    Path windowSize() {
        return bundle.resolve("winsz");
    }

    /** The SOCK_SEQPACKET socket for attaching; there while conmon lives. */
    public static Path attachSocket(Path bundle) {
        return bundle.resolve("attach");
    }

    /** The exit code as text, for a daemon that was away. */
    public Path exit() {
        return persistDirectory.resolve("exit");
    }

    /** Exists when a process of the container was killed for want of memory. */
    public Path oom() {
        return persistDirectory.resolve("oom");
    }

    /** The same as {@link #oom}, which conmon writes to its working directory too. */
    public Path bundleOom() {
        return bundle.resolve("oom");
    }

    /** The exit code as text, in the directory that is watched. */
    public Path watchedExit() {
        return exitsDirectory.resolve(container.value());
    }

    /** The runtime-spec configuration, written by our caller. */
    Path configuration() {
        return bundle.resolve("config.json");
    }
}
