package io.crema.server.grpc;

import com.google.protobuf.MessageLite;
import io.crema.base.CurrentStep;
import io.crema.base.Deadline;
import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.ForwardingServerCall.SimpleForwardingServerCall;
import io.grpc.ForwardingServerCallListener.SimpleForwardingServerCallListener;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.event.Level;

/**
 * The one interceptor around every call: it maps errors to codes, answers in time, bounds the
 * answer's size, and logs and counts the call.
 *
 * <p>A caller that set a deadline is answered shortly before it, because its own clock would
 * otherwise end the call first and our message, which says what was waited for, would be lost. The
 * work itself gets a deadline a little earlier still, so that it can answer for itself; work that
 * ignores it goes on, and its caller is told so.
 */
final class CallGuard implements ServerInterceptor {
    private static final Logger LOG = LoggerFactory.getLogger("Request");

    /** How long before the caller's deadline it is answered, at most. */
    private static final long MAX_MARGIN_NANOS = TimeUnit.MILLISECONDS.toNanos(100);

    /** Calls whose work outlives its caller for the next one. */
    private static final Set<String> JOINED =
            Set.of(
                    "RunPodSandbox",
                    "StopPodSandbox",
                    "RemovePodSandbox",
                    "CreateContainer",
                    "StartContainer",
                    "StopContainer",
                    "RemoveContainer",
                    "PullImage");

    private static final Context.Key<Deadline> DEADLINE = Context.key("crema-deadline");

    private final ScheduledExecutorService timer;
    private final int maxAnswerBytes;
    private final CallObserver observer;

    CallGuard(ScheduledExecutorService timer, int maxAnswerBytes, CallObserver observer) {
        this.timer = timer;
        this.maxAnswerBytes = maxAnswerBytes;
        this.observer = observer;
    }

    /** The deadline of the call that the current thread serves. */
    static Deadline deadline() {
        Deadline deadline = DEADLINE.get();
        return deadline == null ? Deadline.none() : deadline;
    }

    @Override
    public <Q, A> ServerCall.Listener<Q> interceptCall(
            ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
        String method = String.valueOf(call.getMethodDescriptor().getBareMethodName());
        GuardedCall<Q, A> guarded = new GuardedCall<>(call, method);
        if (Unbuilt.METHODS.contains(method)) {
            guarded.close(
                    Status.UNIMPLEMENTED.withDescription(Unbuilt.message(method)), new Metadata());
            return new ServerCall.Listener<>() {};
        }
        io.grpc.Deadline callers = Context.current().getDeadline();
        Deadline ours = Deadline.none();
        if (callers != null) {
            long left = callers.timeRemaining(TimeUnit.NANOSECONDS);
            long margin = Math.min(MAX_MARGIN_NANOS, left / 10);
            ours = Deadline.after(Duration.ofNanos(left - margin));
            guarded.answerWithin(callers, left - margin / 2);
        }
        Context context = Context.current().withValue(DEADLINE, ours);
        return new GuardedListener<>(
                Contexts.interceptCall(context, guarded, headers, next), guarded);
    }

    /** What ended a call. */
    private enum AnsweredBy {
        NOBODY,
        WORK,
        TIMER,
        LEAVING
    }

    /**
     * One call, answered exactly once: by its work, by the timer, or by its caller's leaving. What
     * comes after that is dropped, because gRPC calls may not be closed twice.
     */
    private final class GuardedCall<Q, A> extends SimpleForwardingServerCall<Q, A> {
        private final String method;
        private final long arrivedNanos = System.nanoTime();
        private AnsweredBy answeredBy = AnsweredBy.NOBODY;
        private @Nullable Future<?> timeout;
        private io.grpc.@Nullable Deadline callersDeadline;
        private final CurrentStep step = new CurrentStep();
        private volatile @Nullable Q request;
        private volatile @Nullable A answer;

        GuardedCall(ServerCall<Q, A> call, String method) {
            super(call);
            this.method = method;
        }

        synchronized void answerWithin(io.grpc.Deadline callers, long nanos) {
            callersDeadline = callers;
            timeout = timer.schedule(this::timeOut, nanos, TimeUnit.NANOSECONDS);
        }

        private void timeOut() {
            finish(
                    AnsweredBy.TIMER,
                    Status.DEADLINE_EXCEEDED.withDescription(late()),
                    new Metadata(),
                    null,
                    null);
        }

        private String late() {
            String words = step.words();
            return "time ran out while "
                    + method
                    + (words.isEmpty() ? " was at work" : " waited for " + words)
                    + (JOINED.contains(method)
                            ? "; it goes on, and the same request joins it"
                            : "; what it began may go on for a while");
        }

        @Override
        public synchronized void sendHeaders(Metadata headers) {
            if (answeredBy == AnsweredBy.NOBODY) {
                super.sendHeaders(headers);
            }
        }

        @Override
        public synchronized void sendMessage(A message) {
            if (answeredBy != AnsweredBy.NOBODY) {
                return;
            }
            if (message instanceof MessageLite sized
                    && sized.getSerializedSize() > maxAnswerBytes) {
                close(
                        Status.RESOURCE_EXHAUSTED.withDescription(
                                "the answer to "
                                        + method
                                        + " has "
                                        + sized.getSerializedSize()
                                        + " bytes, more than grpc_max_send_msg_size = "
                                        + maxAnswerBytes),
                        new Metadata());
                return;
            }
            answer = message;
            super.sendMessage(message);
        }

        @Override
        public void close(Status status, Metadata trailers) {
            finish(AnsweredBy.WORK, status, trailers, null, null);
        }

        void fail(Throwable thrown) {
            StatusMapper.Failure failure = StatusMapper.failure(thrown);
            finish(AnsweredBy.WORK, failure.status(), new Metadata(), thrown, failure.reference());
        }

        private void finish(
                AnsweredBy who,
                Status status,
                Metadata trailers,
                @Nullable Throwable thrown,
                @Nullable String reference) {
            if (claim(who)) {
                // Logged first: when the caller has its answer, the log has its line.
                log(status, thrown, reference);
                super.close(status, trailers);
            } else if (thrown != null) {
                logLate(status, thrown, reference);
            }
        }

        /** The caller went away, or its time ran out before the timer here noticed. */
        void cancelled() {
            if (claim(AnsweredBy.LEAVING)) {
                io.grpc.Deadline callers = callersDeadline;
                log(
                        callers != null && callers.isExpired()
                                ? Status.DEADLINE_EXCEEDED
                                : Status.CANCELLED.withDescription("the caller went away"),
                        null,
                        null);
            }
        }

        private synchronized boolean claim(AnsweredBy who) {
            if (answeredBy != AnsweredBy.NOBODY) {
                return false;
            }
            answeredBy = who;
            if (timeout != null) {
                timeout.cancel(false);
            }
            return true;
        }

        /** The work returned without an error; worth a line when nobody heard of it. */
        void workReturned() {
            AnsweredBy who;
            synchronized (this) {
                who = answeredBy;
            }
            switch (who) {
                case TIMER, LEAVING ->
                        words().log(LOG, Level.INFO, "finished after its caller was gone");
                // Nobody: a stream that goes on after its method returned.
                case NOBODY, WORK -> {}
            }
        }

        private void log(Status status, @Nullable Throwable thrown, @Nullable String reference) {
            observer.answered(
                    method,
                    status.getCode().name(),
                    Duration.ofNanos(System.nanoTime() - arrivedNanos));
            if (status.getCode() == Status.Code.DEADLINE_EXCEEDED) {
                observer.late(method, step.words());
            }
            Level level = level(status);
            if (!LOG.isEnabledForLevel(level)) {
                return;
            }
            RequestWords words = words();
            addOutcome(words, status, thrown, reference);
            words.log(LOG, level, status.isOk() ? "ok" : "failed");
        }

        private void logLate(
                Status status, @Nullable Throwable thrown, @Nullable String reference) {
            RequestWords words = words();
            addOutcome(words, status, thrown, reference);
            words.log(LOG, Level.INFO, "failed after its caller was gone");
        }

        private RequestWords words() {
            RequestWords words = new RequestWords();
            words.add("method", method);
            words.addMessage(request);
            words.addMessage(answer);
            words.add("duration_ms", (System.nanoTime() - arrivedNanos) / 1_000_000);
            return words;
        }

        private void addOutcome(
                RequestWords words,
                Status status,
                @Nullable Throwable thrown,
                @Nullable String reference) {
            words.add("code", status.getCode().name());
            String description = status.getDescription();
            if (description != null) {
                words.add("error", description);
            }
            if (thrown == null) {
                return;
            }
            for (Throwable suppressed : thrown.getSuppressed()) {
                words.add("also", String.valueOf(suppressed.getMessage()));
            }
            if (reference != null) {
                words.add("reference", reference);
            }
            // The stack of an expected error only says where we noticed it.
            if (reference != null || LOG.isDebugEnabled()) {
                words.cause(thrown);
            }
        }

        private Level level(Status status) {
            return switch (status.getCode()) {
                case OK -> Reads.isRead(method) ? Level.DEBUG : Level.INFO;
                case UNIMPLEMENTED -> Level.DEBUG;
                case NOT_FOUND -> Reads.isRead(method) ? Level.DEBUG : Level.INFO;
                case INTERNAL, DATA_LOSS -> Level.ERROR;
                // A stream of events has no other end.
                case CANCELLED -> method.equals("GetContainerEvents") ? Level.INFO : Level.WARN;
                case UNKNOWN,
                        INVALID_ARGUMENT,
                        DEADLINE_EXCEEDED,
                        ALREADY_EXISTS,
                        PERMISSION_DENIED,
                        RESOURCE_EXHAUSTED,
                        FAILED_PRECONDITION,
                        ABORTED,
                        OUT_OF_RANGE,
                        UNAVAILABLE,
                        UNAUTHENTICATED ->
                        Level.WARN;
            };
        }
    }

    /** Catches what the work throws; gRPC itself would answer Unknown without a message. */
    private static final class GuardedListener<Q> extends SimpleForwardingServerCallListener<Q> {
        private final CallGuard.GuardedCall<Q, ?> call;

        GuardedListener(ServerCall.Listener<Q> listener, CallGuard.GuardedCall<Q, ?> call) {
            super(listener);
            this.call = call;
        }

        @Override
        public void onMessage(Q message) {
            call.request = message;
            super.onMessage(message);
        }

        @Override
        public void onHalfClose() {
            try {
                call.step.during(super::onHalfClose);
            } catch (Throwable thrown) {
                call.fail(thrown);
                return;
            }
            call.workReturned();
        }

        /** Where the messages of a stream are made. */
        @Override
        public void onReady() {
            try {
                super.onReady();
            } catch (Throwable thrown) {
                call.fail(thrown);
            }
        }

        @Override
        public void onCancel() {
            call.cancelled();
            super.onCancel();
        }
    }
}
