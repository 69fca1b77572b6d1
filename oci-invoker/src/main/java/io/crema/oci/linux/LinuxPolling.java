package io.crema.oci.linux;

import java.time.Duration;

/** Waiting for many descriptors at once (epoll(7)); the poll loop of the daemon is built on it. */
public interface LinuxPolling {
    /** What to wait for on a descriptor; errors and hang-ups are told in any case. */
    enum Interest {
        READABLE,
        WRITABLE
    }

    /** A set of watched descriptors. All methods but {@link #await} may be called by any thread. */
    interface Poll extends AutoCloseable {
        /**
         * Starts watching, level-triggered.
         *
         * @param token what {@link #await} tells when the descriptor is ready; negative tokens are
         *     reserved
         */
        void add(Descriptor descriptor, Interest interest, long token);

        /** Stops watching; must come before the descriptor is closed. */
        void remove(Descriptor descriptor);

        /**
         * Waits until at least one descriptor is ready, {@link #wake} is called or the time is
         * over.
         *
         * @param tokens filled with the tokens of the ready descriptors
         * @return how many tokens were filled in
         */
        int await(long[] tokens, Duration timeout);

        /** Lets the current or the next {@link #await} return. */
        void wake();

        @Override
        void close();
    }

    Poll openPoll();
}
