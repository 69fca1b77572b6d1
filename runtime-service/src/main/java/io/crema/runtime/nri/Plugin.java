package io.crema.runtime.nri;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageLite;
import com.google.protobuf.Parser;
import io.crema.base.CurrentStep;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.nri.v1alpha1.ConfigureRequest;
import io.crema.nri.v1alpha1.ConfigureResponse;
import io.crema.nri.v1alpha1.Empty;
import io.crema.nri.v1alpha1.PluginInstance;
import io.crema.nri.v1alpha1.RegisterPluginRequest;
import io.crema.nri.v1alpha1.UpdateContainersRequest;
import io.crema.nri.v1alpha1.UpdateContainersResponse;
import io.crema.oci.linux.Descriptor;
import io.crema.runtime.state.PodException;
import io.crema.runtime.ttrpc.RpcConnection;
import io.crema.runtime.ttrpc.RpcException;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One plugin from its connection on. It is asked one thing at a time, because most are written for
 * runtimes that do so; who does not answer in time is given up, as who hangs up.
 */
final class Plugin implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Plugin.class);

    private static final String PACKAGE = "nri.pkg.api.v1alpha1.";
    private static final String PLUGIN_SERVICE = PACKAGE + "Plugin";
    private static final String RUNTIME_SERVICE = PACKAGE + "Runtime";
    private static final Duration FAREWELL_TIME = Duration.ofSeconds(1);

    private final PluginSettings settings;
    private final BiFunction<Plugin, UpdateContainersRequest, UpdateContainersResponse> updates;
    private final boolean isInstalled;
    private final CompletableFuture<PluginName> registration = new CompletableFuture<>();

    /** True once it is synchronized; false when it never will be. */
    private final CompletableFuture<Boolean> ready = new CompletableFuture<>();

    private final Semaphore turn = new Semaphore(1, true);

    /** What it has no method for, being older than that; it has one for all of them. */
    private final Set<PluginEvent> withoutMethod = ConcurrentHashMap.newKeySet();

    private final RpcConnection connection;
    private volatile @Nullable PluginName name;
    private volatile int subscription;

    /**
     * @param installed what its file says that it is called; empty for one that came by itself
     */
    Plugin(
            PluginSettings settings,
            Descriptor socket,
            Optional<PluginName> installed,
            BiFunction<Plugin, UpdateContainersRequest, UpdateContainersResponse> updates) {
        this.settings = settings;
        this.updates = updates;
        this.isInstalled = installed.isPresent();
        this.name = installed.orElse(null);
        this.connection =
                RpcConnection.open(settings.linux(), settings.loop(), socket, this::serve);
        var _ = connection.closed().thenAccept(reason -> ready.complete(false));
    }

    PluginName name() {
        return Objects.requireNonNull(name, "not registered");
    }

    PluginInstance instance() {
        return PluginInstance.newBuilder().setIndex(name().index()).setName(name().base()).build();
    }

    boolean wants(PluginEvent event) {
        return event.isIn(subscription);
    }

    boolean isClosed() {
        return connection.isClosed();
    }

    CompletableFuture<String> closed() {
        return connection.closed();
    }

    private MessageLite serve(String service, String method, ByteString request)
            throws InvalidProtocolBufferException {
        if (service.equals(RUNTIME_SERVICE) && method.equals("RegisterPlugin")) {
            register(RegisterPluginRequest.parseFrom(request));
            return Empty.getDefaultInstance();
        }
        if (service.equals(RUNTIME_SERVICE) && method.equals("UpdateContainers")) {
            if (!registration.isDone()) {
                throw RpcException.refused(
                        RpcException.FAILED_PRECONDITION, "register before you update containers");
            }
            return updates.apply(this, UpdateContainersRequest.parseFrom(request));
        }
        throw RpcException.refused(
                RpcException.UNIMPLEMENTED, service + "/" + method + " is not served here");
    }

    private void register(RegisterPluginRequest request) {
        PluginName registered = name;
        try {
            if (registered == null) {
                registered = new PluginName(request.getPluginIdx(), request.getPluginName());
            }
        } catch (PodException e) {
            registration.completeExceptionally(e);
            throw RpcException.refused(
                    RpcException.INVALID_ARGUMENT, String.valueOf(e.getMessage()));
        }
        if (registration.isDone()) {
            throw RpcException.refused(
                    RpcException.FAILED_PRECONDITION, registered + " has registered before");
        }
        name = registered;
        registration.complete(registered);
        connection.allowLongMessages();
    }

    /**
     * Waits for its registration and tells it what it is to know of us.
     *
     * @throws PodException when it does not register or cannot be configured
     */
    void introduce(String configuration) {
        Duration time = settings.registrationTime();
        try {
            registration.get(time.toNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw failed(
                    "did not register within "
                            + time.toMillis()
                            + " ms (nri_plugin_registration_timeout)",
                    e);
        } catch (ExecutionException e) {
            throw failed("could not register: " + e.getCause(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw failed("was not waited for", e);
        }
        ConfigureResponse answer =
                callOnce(
                        "Configure",
                        ConfigureRequest.newBuilder()
                                .setConfig(configuration)
                                .setRuntimeName(settings.runtimeName())
                                .setRuntimeVersion(settings.runtimeVersion())
                                .setRegistrationTimeout(time.toMillis())
                                .setRequestTimeout(settings.requestTime().toMillis())
                                .setNRIVersion(PluginSettings.NRI_VERSION)
                                .build(),
                        ConfigureResponse.parser(),
                        settings.requestTime());
        int wanted = answer.getEvents();
        if ((wanted & ~PluginEvent.ALL) != 0) {
            throw failed(
                    "subscribes to events that are not known here: 0x"
                            + Integer.toHexString(wanted & ~PluginEvent.ALL),
                    null);
        }
        subscription = wanted == 0 ? PluginEvent.ALL : wanted;
    }

    /** A call of the introduction, any failure of which ends it. */
    <T extends MessageLite> T callOnce(
            String method, MessageLite request, Parser<T> parser, Duration time) {
        try {
            return connection.call(PLUGIN_SERVICE, method, request, parser, Deadline.after(time));
        } catch (RpcException e) {
            throw failed("failed at " + method + ": " + e.reason(), e);
        }
    }

    /** Whether it is synchronized, or never will be. */
    boolean isReady() {
        return ready.isDone();
    }

    /** From now on it gets the events; those that came since it joined have waited. */
    void isSynchronized() {
        ready.complete(true);
    }

    /**
     * Asks about an event.
     *
     * @param about which pod or container, for messages
     * @return empty when it does not want the event, or was given up
     * @throws PodException when it refuses
     * @throws DeadlineExceededException when the time of the call that this is part of is over
     */
    <T extends MessageLite> Optional<T> ask(
            PluginEvent event,
            String about,
            MessageLite request,
            Parser<T> parser,
            Deadline deadline) {
        return inTurn(
                event,
                about,
                deadline,
                limit -> connection.call(PLUGIN_SERVICE, event.method(), request, parser, limit));
    }

    /** Tells of an event that only needs to be acknowledged; the rest is as for {@link #ask}. */
    void tell(PluginEvent event, String about, PluginNotice notice, Deadline deadline) {
        var _ =
                inTurn(
                        event,
                        about,
                        deadline,
                        limit -> {
                            if (!withoutMethod.contains(event)) {
                                try {
                                    return connection.call(
                                            PLUGIN_SERVICE,
                                            event.method(),
                                            notice.message(),
                                            Empty.parser(),
                                            limit);
                                } catch (RpcException e) {
                                    if (e.code() != RpcException.UNIMPLEMENTED) {
                                        throw e;
                                    }
                                    withoutMethod.add(event);
                                    LOG.info(
                                            "NRI plugin {} has no method {} and is told by StateChange",
                                            name,
                                            event.method());
                                }
                            }
                            return connection.call(
                                    PLUGIN_SERVICE,
                                    "StateChange",
                                    notice.stateChange(event.event()),
                                    Empty.parser(),
                                    limit);
                        });
    }

    @FunctionalInterface
    private interface Asking<T> {
        T within(Deadline limit);
    }

    private <T> Optional<T> inTurn(
            PluginEvent event, String about, Deadline deadline, Asking<T> asking) {
        if (!wants(event)) {
            return Optional.empty();
        }
        String step = "NRI plugin " + name + " to answer " + event.method() + " of " + about;
        CurrentStep.enter(step);
        if (!await(step, deadline)) {
            return Optional.empty();
        }
        takeTurn(step, deadline);
        try {
            if (connection.isClosed()) {
                return Optional.empty();
            }
            // Others may have used the time up; that is not for this one to be blamed for.
            deadline.check(step);
            return Optional.of(asking.within(deadline.atMost(settings.requestTime())));
        } catch (RpcException e) {
            return switch (e.failure()) {
                case REFUSED, OVERSIZED ->
                        throw new PodException(
                                ErrorKind.FAILED_PRECONDITION,
                                "NRI plugin "
                                        + name
                                        + " refuses "
                                        + event.method()
                                        + " of "
                                        + about
                                        + ": "
                                        + e.reason(),
                                e);
                case TIMED_OUT -> {
                    if (deadline.hasPassed() || Thread.currentThread().isInterrupted()) {
                        throw new DeadlineExceededException(step);
                    }
                    close(
                            "it has not answered "
                                    + event.method()
                                    + " of "
                                    + about
                                    + " within "
                                    + settings.requestTime().toMillis()
                                    + " ms (nri_plugin_request_timeout)");
                    yield Optional.empty();
                }
                case CLOSED -> Optional.empty();
            };
        } finally {
            turn.release();
        }
    }

    private boolean await(String step, Deadline deadline) {
        try {
            return ready.get(deadline.remainingNanos(), TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new DeadlineExceededException(step);
        } catch (ExecutionException e) {
            throw new IllegalStateException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new DeadlineExceededException(step);
        }
    }

    private void takeTurn(String step, Deadline deadline) {
        try {
            if (!turn.tryAcquire(deadline.remainingNanos(), TimeUnit.NANOSECONDS)) {
                throw new DeadlineExceededException(step);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new DeadlineExceededException(step);
        }
    }

    private PodException failed(String what, @Nullable Throwable cause) {
        return new PodException(ErrorKind.UNAVAILABLE, this + " " + what, cause);
    }

    /** Tells it that we go. */
    void shutDown() {
        try {
            var _ =
                    connection.call(
                            PLUGIN_SERVICE,
                            "Shutdown",
                            Empty.getDefaultInstance(),
                            Empty.parser(),
                            Deadline.after(FAREWELL_TIME));
        } catch (RpcException e) {
            LOG.debug("{} does not say goodbye: {}", this, e.reason());
        }
        close();
    }

    /** Ends the connection, by which it learns that it was given up. */
    void close(String reason) {
        connection.close(reason);
    }

    @Override
    public void close() {
        close("the daemon stops");
    }

    @Override
    public String toString() {
        PluginName known = name;
        return (isInstalled ? "installed" : "connected")
                + " NRI plugin "
                + (known == null ? "without a name" : known.toString());
    }
}
