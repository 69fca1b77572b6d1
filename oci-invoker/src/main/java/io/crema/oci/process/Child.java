package io.crema.oci.process;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxProcesses.ExitStatus;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;

/**
 * A child process of ours that leads its own process group. The poll loop reaps it the moment it
 * ends; signals are sent only before that, so that they can never reach a recycled pid.
 */
public final class Child {
    private final Linux linux;
    private final int pid;
    private final CompletableFuture<ExitStatus> exit = new CompletableFuture<>();
    private boolean isReaped;

    private Child(Linux linux, int pid) {
        this.linux = linux;
        this.pid = pid;
    }

    /** Empty when somebody else has reaped it: an unreaped child has a pid. */
    static Optional<Child> watch(Linux linux, PollLoop loop, int pid) {
        Optional<Descriptor> opened = linux.openProcess(pid);
        if (opened.isEmpty()) {
            return Optional.empty();
        }
        Descriptor process = opened.get();
        Child child = new Child(linux, pid);
        if (linux.hasEnded(pid)) {
            process.close();
            child.reap();
            return Optional.of(child);
        }
        loop.family().follow(pid);
        CompletableFuture<Descriptor> ended;
        try {
            ended = loop.readable(process);
        } catch (RuntimeException e) {
            loop.family().forget(pid);
            process.close();
            throw e;
        }
        var _ =
                ended.whenComplete((descriptor, failure) -> {
                    process.close();
                    loop.family().forget(pid);
                    if (failure == null) {
                        child.reap();
                    } else {
                        child.exit.completeExceptionally(failure);
                    }
                });
        return Optional.of(child);
    }

    public int pid() {
        return pid;
    }

    /** How the child ended. Completed on the poll loop's thread; cancelling it changes nothing. */
    public CompletableFuture<ExitStatus> exit() {
        return exit.copy();
    }

    /** Whether it was reaped, so that its number may be somebody else's by now. */
    public synchronized boolean hasEnded() {
        return isReaped;
    }

    /**
     * Signals the child alone.
     *
     * @return false when it has ended and was reaped
     */
    public synchronized boolean kill(int signal) {
        return !isReaped && linux.kill(pid, signal);
    }

    /**
     * Signals the child and every descendant that stayed in its process group.
     *
     * @return false when the child has ended and was reaped
     */
    public synchronized boolean killGroup(int signal) {
        return !isReaped && linux.killGroup(pid, signal);
    }

    private void reap() {
        Optional<ExitStatus> status;
        try {
            synchronized (this) {
                status = linux.waitFor(pid, Duration.ZERO);
                isReaped = true;
            }
        } catch (RuntimeException e) {
            exit.completeExceptionally(e);
            return;
        }
        status.ifPresentOrElse(
                exit::complete,
                () ->
                        exit.completeExceptionally(
                                new IllegalStateException("child " + pid + " has not ended")));
    }
}
