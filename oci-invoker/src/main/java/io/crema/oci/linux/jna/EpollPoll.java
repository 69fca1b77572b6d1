package io.crema.oci.linux.jna;

import com.sun.jna.LastErrorException;
import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxPolling.Interest;
import io.crema.oci.linux.LinuxPolling.Poll;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;

/** One epoll instance with an eventfd that wakes its waiting thread. */
final class EpollPoll implements Poll {
    private static final int CTL_ADD = 1;
    private static final int CTL_DEL = 2;
    private static final int EPOLLIN = 1;
    private static final int EPOLLOUT = 4;
    private static final int EPOLLRDHUP = 0x2000;
    private static final int BATCH = 64;
    private static final long WAKE_TOKEN = -1;

    private final LinuxFiles files;
    private final Scratch.Pool scratches;
    private final Descriptor epoll;
    private final Descriptor wake;
    // Only the waiting thread uses these two.
    private final Memory events = new Memory((long) BATCH * LibC.epollEventSize());
    private final ByteBuffer view = events.getByteBuffer(0, events.size());
    private final ByteBuffer counter = ByteBuffer.allocateDirect(8);

    private EpollPoll(LinuxFiles files, Scratch.Pool scratches, Descriptor epoll, Descriptor wake) {
        this.files = files;
        this.scratches = scratches;
        this.epoll = epoll;
        this.wake = wake;
    }

    static EpollPoll open(LinuxFiles files, Scratch.Pool scratches) {
        Descriptor epoll = new Descriptor(LibC.epoll_create1(LibC.O_CLOEXEC), files);
        Descriptor wake;
        try {
            wake = new Descriptor(LibC.eventfd(0, LibC.O_CLOEXEC | LibC.O_NONBLOCK), files);
        } catch (LastErrorException e) {
            epoll.close();
            throw e;
        }
        EpollPoll poll = new EpollPoll(files, scratches, epoll, wake);
        try {
            poll.add(wake, Interest.READABLE, WAKE_TOKEN);
        } catch (RuntimeException e) {
            poll.close();
            throw e;
        }
        return poll;
    }

    @Override
    public void add(Descriptor descriptor, Interest interest, long token) {
        int wanted =
                switch (interest) {
                    case READABLE -> EPOLLIN | EPOLLRDHUP;
                    case WRITABLE -> EPOLLOUT;
                };
        try (Scratch scratch = scratches.take()) {
            long event = scratch.zeroed(LibC.epollEventSize());
            scratch.putInt(event, wanted);
            // Unaligned on x86_64, which the byte buffer below and the processor both allow.
            scratch.putLong(event + LibC.epollDataOffset(), token);
            LibC.epoll_ctl(epoll.number(), CTL_ADD, descriptor.number(), event);
        } catch (LastErrorException e) {
            throw FileCalls.failure("epoll_ctl", "add " + descriptor, e);
        }
    }

    @Override
    public void remove(Descriptor descriptor) {
        try {
            LibC.epoll_ctl(epoll.number(), CTL_DEL, descriptor.number(), 0);
        } catch (LastErrorException e) {
            throw FileCalls.failure("epoll_ctl", "remove " + descriptor, e);
        }
    }

    @Override
    public int await(long[] tokens, Duration timeout) {
        int max = Math.min(BATCH, tokens.length);
        int ready;
        try {
            ready =
                    LibC.epoll_wait(
                            epoll.number(),
                            Pointer.nativeValue(events),
                            max,
                            ProcessCalls.millis(timeout.toNanos()));
        } catch (LastErrorException e) {
            if (e.getErrorCode() == Errno.EINTR.number()) {
                return 0;
            }
            throw FileCalls.failure("epoll_wait", epoll.toString(), e);
        }
        int count = 0;
        for (int i = 0; i < ready; i++) {
            long token = view.getLong(i * LibC.epollEventSize() + LibC.epollDataOffset());
            if (token == WAKE_TOKEN) {
                counter.clear();
                files.read(wake, counter);
            } else {
                tokens[count++] = token;
            }
        }
        return count;
    }

    @Override
    public void wake() {
        ByteBuffer one = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder()).putLong(0, 1);
        files.write(wake, one);
    }

    @Override
    public void close() {
        wake.close();
        epoll.close();
    }
}
