package io.crema.oci.process;

import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxProcesses.SpawnRequest;
import java.time.Duration;
import java.util.Optional;

/** Starts children whose life the caller follows itself, such as monitors and attached execs. */
public final class Children {
    private static final int SIGKILL = 9;

    private final Linux linux;
    private final PollLoop loop;

    /** Both are shared by all of the daemon and are not closed here. */
    public Children(Linux linux, PollLoop loop) {
        this.linux = linux;
        this.loop = loop;
    }

    /**
     * Starts a child. The caller still owns the descriptors it passed and closes its copies of the
     * child's ends.
     *
     * @throws io.crema.oci.linux.LinuxException when the executable cannot be started
     */
    public Child start(SpawnRequest request) {
        int pid = linux.spawn(request);
        try {
            return adopt(pid);
        } catch (RuntimeException e) {
            // Out of descriptors, most likely. A child that nobody follows must not live on; it
            // stays a zombie only until this wait, which is short after SIGKILL.
            linux.killGroup(pid, SIGKILL);
            linux.waitFor(pid, Duration.ofSeconds(1));
            throw e;
        }
    }

    /**
     * Follows a process that somebody else started and that became our child when its parent ended
     * (the poll loop makes us a subreaper). It may have ended by now.
     *
     * @throws IllegalStateException when there is no such process: not even a dead one waits for us
     */
    public Child adopt(int pid) {
        return adoptIfThere(pid).orElseThrow(() -> new IllegalStateException("lost child " + pid));
    }

    /** As {@link #adopt}, for when it may have been reaped. */
    public Optional<Child> adoptIfThere(int pid) {
        return Child.watch(linux, loop, pid);
    }

    /**
     * Tells that a process was killed whose end nobody will ask for, so that, as an orphan, it is
     * reaped at once: until then it keeps the PID namespace of its container.
     */
    public void expectEnd(int pid) {
        loop.expectEnd(pid);
    }
}
