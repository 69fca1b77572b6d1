package io.crema.base;

import java.util.function.Supplier;

/**
 * Which step a call is in, for whoever answers its caller when the call itself cannot: because it
 * hangs in a system call, or waits for a lock. Steps are told by the thread that serves the call.
 */
public final class CurrentStep {
    private static final ScopedValue<CurrentStep> CURRENT = ScopedValue.newInstance();

    private volatile Supplier<String> words = () -> "";

    /** Runs a call's work, whose steps are those of this object. */
    public void during(Runnable work) {
        ScopedValue.where(CURRENT, this).run(work);
    }

    /** Tells the step of the current thread's call; does nothing when it serves none. */
    public static void enter(String step) {
        enter(() -> step);
    }

    /** As above, for a step whose words change while it lasts. */
    public static void enter(Supplier<String> step) {
        if (CURRENT.isBound()) {
            CURRENT.get().words = step;
        }
    }

    /** The step in words; empty when none was told. */
    public String words() {
        return words.get();
    }
}
