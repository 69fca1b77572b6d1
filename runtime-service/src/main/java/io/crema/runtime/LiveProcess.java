package io.crema.runtime;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.runtime.state.ProcessIdentity;
import java.util.Optional;

/** Finds a process by number and start time, so that a recycled number is never taken for it. */
final class LiveProcess {
    private LiveProcess() {}

    static boolean isAlive(Linux linux, ProcessIdentity process) {
        return linux.startTimeTicks(process.pid())
                .map(ticks -> ticks == process.startTicks())
                .orElse(false);
    }

    /** A pidfd of exactly that process; empty when it has ended. */
    static Optional<Descriptor> open(Linux linux, ProcessIdentity process) {
        Optional<Descriptor> descriptor = linux.openProcess(process.pid());
        if (descriptor.isPresent() && !isAlive(linux, process)) {
            descriptor.get().close();
            return Optional.empty();
        }
        return descriptor;
    }

    /** Sends a signal to exactly that process; false when it has ended. */
    static boolean kill(Linux linux, ProcessIdentity process, int signal) {
        Optional<Descriptor> descriptor = open(linux, process);
        if (descriptor.isEmpty()) {
            return false;
        }
        try (Descriptor open = descriptor.get()) {
            return linux.kill(open, signal);
        }
    }
}
