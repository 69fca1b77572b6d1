package io.crema.oci.process;

import io.crema.base.Deadline;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxPolling.Interest;
import io.crema.oci.linux.LinuxPolling.Poll;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one platform thread that waits for pipes and ended processes, so that virtual threads never
 * block a carrier in a native call: they get futures and park on them with a deadline.
 *
 * <p>Futures are completed on the loop's thread: what is chained to them must not block; waiting
 * for them from another thread is always fine. A future is done only after the loop has let go of
 * the descriptor, also when the caller cancels it; the descriptor stays the caller's to close,
 * after that and not before.
 */
public final class PollLoop implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(PollLoop.class);
    private static final int BUFFER_SIZE = 64 * 1024;
    private static final int BATCH = 64;
    // How often ended orphans are looked for, and how soon again: each is reaped when seen twice.
    private static final Duration SWEEP_EVERY = Duration.ofSeconds(5);
    private static final Duration SWEEP_AGAIN = Duration.ofSeconds(2);
    // How often those are looked for that were killed, which needs no second look.
    private static final Duration KILLED_EVERY = Duration.ofMillis(50);
    private static final Duration STOP_WAIT = Duration.ofSeconds(5);

    /** Work on a ready descriptor; present when the watch has reached its end. */
    @FunctionalInterface
    interface Step<T> {
        Optional<T> advance();

        /**
         * Runs after each advance, but with no lock held, so that it may call anybody. A result
         * ends the watch as one of {@link #advance} does.
         */
        default Optional<T> deliver() {
            return Optional.empty();
        }
    }

    private final Linux linux;
    private final Poll poll;
    private final Map<Long, Watch<?>> watches = new ConcurrentHashMap<>();
    private final AtomicLong nextToken = new AtomicLong();
    private final Family family;
    // Of the loop's thread alone.
    private final ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER_SIZE);
    private final BufferPool buffers = new BufferPool();
    private final Thread thread;
    // The thread ends or has ended, because of close or of a fault.
    private volatile boolean isStopped;
    private boolean isClosed;

    private PollLoop(Linux linux) {
        this.linux = linux;
        this.poll = linux.openPoll();
        this.family = new Family(linux);
        this.thread = Thread.ofPlatform().daemon().name("poll-loop").unstarted(this::run);
    }

    /**
     * Starts a loop with a daemon thread of its own. This process becomes a subreaper: what a child
     * of ours leaves behind becomes our child, and the loop reaps what nobody adopts.
     */
    public static PollLoop start(Linux linux) {
        linux.becomeSubreaper();
        PollLoop loop = new PollLoop(linux);
        loop.thread.start();
        return loop;
    }

    /**
     * Reads until the end and keeps the first bytes; what comes beyond the bound is read and
     * dropped, so that the writer never blocks. The descriptor becomes non-blocking.
     */
    public Collected readAll(Descriptor descriptor, int maxBytes) {
        linux.setNonBlocking(descriptor);
        Collected collected = new Collected(maxBytes);
        collected.follow(
                watch(
                        descriptor,
                        Interest.READABLE,
                        () -> {
                            Optional<ByteBuffer> bytes = read(descriptor);
                            bytes.ifPresent(collected::append);
                            return bytes.isPresent()
                                    ? Optional.empty()
                                    : Optional.of(collected.total());
                        }));
        return collected;
    }

    /**
     * Reads a descriptor line by line. The descriptor becomes non-blocking.
     *
     * @param maxLineBytes a longer line fails with E2BIG
     */
    public Lines lines(Descriptor descriptor, int maxLineBytes) {
        linux.setNonBlocking(descriptor);
        return new Lines(this, descriptor, maxLineBytes);
    }

    /**
     * Writes all bytes and answers their count. The future fails with EPIPE when the reader is
     * gone; a reader that does not read keeps it open until it is cancelled. The descriptor becomes
     * non-blocking.
     */
    public CompletableFuture<Integer> writeAll(Descriptor descriptor, byte[] bytes) {
        linux.setNonBlocking(descriptor);
        ByteBuffer rest = ByteBuffer.wrap(bytes);
        return watch(
                descriptor,
                Interest.WRITABLE,
                () -> {
                    if (rest.hasRemaining()) {
                        var _ = linux.writeSome(descriptor, rest);
                    }
                    return rest.hasRemaining() ? Optional.empty() : Optional.of(bytes.length);
                });
    }

    /**
     * Answers the descriptor once it is readable or hung up; for a pidfd: once the process ended.
     */
    public CompletableFuture<Descriptor> readable(Descriptor descriptor) {
        return watch(descriptor, Interest.READABLE, () -> Optional.of(descriptor));
    }

    /** Answers the descriptor once it is writable or broken, as a socket that has connected is. */
    public CompletableFuture<Descriptor> writable(Descriptor descriptor) {
        return watch(descriptor, Interest.WRITABLE, () -> Optional.of(descriptor));
    }

    /** Hands on all that is read from now on; it becomes non-blocking. */
    public StreamReader forward(Descriptor descriptor, Receiver receiver) {
        linux.setNonBlocking(descriptor);
        StreamReader reader = new StreamReader(this, descriptor, receiver);
        reader.start();
        return reader;
    }

    /** A stream to a descriptor that is named later, see {@link StreamWriter#open}. */
    public StreamWriter writer() {
        return new StreamWriter(this, linux, buffers, BUFFER_SIZE);
    }

    /** The same for a socket of packets, none of which is to be longer. */
    public StreamWriter packetWriter(int maxPacketBytes) {
        return new StreamWriter(this, linux, buffers, maxPacketBytes);
    }

    /**
     * A place to keep what a slow receiver has no room for.
     *
     * @param maxBytes how much is kept at most
     */
    public Backlog backlog(Receiver receiver, int maxBytes) {
        return new Backlog(receiver, buffers, maxBytes);
    }

    int unreadBytes(Descriptor descriptor) {
        return linux.unreadBytes(descriptor);
    }

    /**
     * Runs the step on the loop's thread whenever the descriptor is ready, until it has a result. A
     * step that throws fails the future; EAGAIN only means that it was woken too early.
     */
    <T> CompletableFuture<T> watch(Descriptor descriptor, Interest interest, Step<T> step) {
        if (isStopped) {
            return CompletableFuture.failedFuture(closed());
        }
        Watch<T> watch = new Watch<>(this, nextToken.getAndIncrement(), descriptor, step);
        watch.begin(interest);
        if (isStopped) { // meanwhile, so that nobody would look after it
            watch.completeExceptionally(closed());
        }
        return watch;
    }

    /**
     * What one read(2) gives, in a buffer to be used up at once; empty at the end of the stream.
     */
    Optional<ByteBuffer> read(Descriptor descriptor) {
        buffer.clear();
        return linux.read(descriptor, buffer) < 0 ? Optional.empty() : Optional.of(buffer.flip());
    }

    Family family() {
        return family;
    }

    /** Has an orphan reaped as soon as it ends, see {@link Family#expect}. */
    void expectEnd(int pid) {
        family.expect(pid);
        poll.wake();
    }

    private void run() {
        try {
            long[] ready = new long[BATCH];
            Deadline sweep = Deadline.after(SWEEP_EVERY);
            Deadline killed = Deadline.after(KILLED_EVERY);
            while (!isStopped) {
                Deadline next = family.isExpecting() ? sweep.atMost(killed.remaining()) : sweep;
                int count = poll.await(ready, next.remaining());
                if (family.isExpecting() && killed.hasPassed()) {
                    family.reapExpected();
                    killed = Deadline.after(KILLED_EVERY);
                }
                if (sweep.hasPassed()) {
                    sweep = Deadline.after(family.sweep() ? SWEEP_AGAIN : SWEEP_EVERY);
                }
                for (int i = 0; i < count; i++) {
                    Watch<?> watch = watches.get(ready[i]);
                    if (watch != null) { // else it ended after the kernel told us
                        watch.advance();
                    }
                }
            }
        } catch (RuntimeException | Error e) {
            LOG.error("the poll loop died; no child process can be followed any more", e);
        } finally {
            isStopped = true;
            failAll();
        }
    }

    private void failAll() {
        for (Watch<?> watch : watches.values()) {
            watch.completeExceptionally(closed());
        }
    }

    private static IllegalStateException closed() {
        return new IllegalStateException("the poll loop is closed");
    }

    /** Stops the thread; futures that are not done fail. */
    @Override
    public synchronized void close() {
        if (isClosed) {
            return;
        }
        isClosed = true;
        isStopped = true;
        poll.wake();
        boolean isOver = false;
        try {
            isOver = thread.join(STOP_WAIT);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        failAll();
        if (isOver) {
            poll.close();
        } else {
            LOG.warn("the poll loop's thread did not end in time: something chained blocks it");
        }
    }

    /**
     * One watched descriptor and the future of its result. Every way of completing it lets go of
     * the descriptor first, because whoever waits for it may close the descriptor next.
     */
    private static final class Watch<T> extends CompletableFuture<T> {
        private final PollLoop loop;
        private final long token;
        private final Descriptor descriptor;
        private final Step<T> step;
        // Held while the loop works on the descriptor.
        private final Object lock = new Object();
        private boolean isActive;

        Watch(PollLoop loop, long token, Descriptor descriptor, Step<T> step) {
            this.loop = loop;
            this.token = token;
            this.descriptor = descriptor;
            this.step = step;
        }

        void begin(Interest interest) {
            loop.watches.put(token, this);
            synchronized (lock) {
                try {
                    loop.poll.add(descriptor, interest, token);
                    isActive = true;
                } finally {
                    if (!isActive) {
                        loop.watches.remove(token);
                    }
                }
            }
        }

        void advance() {
            try {
                Optional<T> result = advanceLocked();
                if (result.isEmpty()) {
                    result = step.deliver();
                }
                result.ifPresent(this::complete);
            } catch (RuntimeException | Error e) {
                completeExceptionally(e);
            }
        }

        private Optional<T> advanceLocked() {
            synchronized (lock) {
                try {
                    return isActive ? step.advance() : Optional.empty();
                } catch (LinuxException e) {
                    if (e.errno().is(Errno.EAGAIN)) {
                        return Optional.empty();
                    }
                    throw e;
                }
            }
        }

        private void letGo() {
            synchronized (lock) {
                if (isActive) {
                    isActive = false;
                    loop.watches.remove(token);
                    loop.poll.remove(descriptor);
                }
            }
        }

        @Override
        public boolean complete(T value) {
            letGo();
            return super.complete(value);
        }

        @Override
        public boolean completeExceptionally(Throwable failure) {
            letGo();
            return super.completeExceptionally(failure);
        }

        @Override
        public boolean cancel(boolean mayInterruptIfRunning) {
            letGo();
            return super.cancel(mayInterruptIfRunning);
        }
    }
}
