package io.crema.cni;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.base.PodSandboxId;
import io.crema.cni.NetworkDirectory.Found;
import io.crema.oci.process.Commands;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Pod networks by CNI plugins, one process per plugin and command.
 *
 * <p>What a crash leaves behind: before the first plugin runs, the cache has an entry with all that
 * DEL needs; {@link #attachments} lists it and {@link #detach} or {@link #collectGarbage} undo it.
 *
 * <p>Safe for use by many threads. Every wait is in {@link Commands}, which parks virtual threads.
 */
public final class CniPodNetworks implements PodNetworks {
    private static final Logger LOG = LoggerFactory.getLogger(CniPodNetworks.class);
    private static final String NOT_READY = "NetworkPluginNotReady";

    private final CniSettings settings;
    private final PluginRunner runner;
    private final AttachmentCache cache;
    private final NetworkHealth health;
    private final NetworkWatch watch;
    private final SandboxLocks locks = new SandboxLocks();

    /** Attached, or being attached, by this object and not detached: garbage to nobody. */
    private final Set<PodSandboxId> live = ConcurrentHashMap.newKeySet();

    /**
     * Held for reading by every ADD and for writing by GC: a plugin takes whatever GC does not name
     * for garbage, also what an ADD running beside it has just made.
     */
    private final ReentrantReadWriteLock collecting = new ReentrantReadWriteLock();

    /**
     * Reads the network directory and starts watching it.
     *
     * @param clock for the grace period of STATUS
     */
    public CniPodNetworks(CniSettings settings, Commands commands, InstantSource clock) {
        this.settings = settings;
        this.runner = new PluginRunner(commands, settings);
        this.cache = new AttachmentCache(settings.cacheDirectory(), settings.owner());
        this.health = new NetworkHealth(runner, settings, clock);
        this.watch = new NetworkWatch(settings, health);
        watch.start();
    }

    @Override
    public Readiness readiness() {
        Found found = watch.found();
        String passedOver = found.invalid().isEmpty() ? "" : "passed over " + found.invalidFiles();
        if (found.network().isEmpty()) {
            return new Readiness(
                    false,
                    NOT_READY,
                    found.problem() + (passedOver.isEmpty() ? "" : "; " + passedOver));
        }
        return health.problem(found.network().get())
                .map(problem -> new Readiness(false, NOT_READY, problem))
                .orElseGet(() -> new Readiness(true, "", passedOver));
    }

    @Override
    public Map<String, String> describe() {
        Found found = watch.found();
        ObjectNode description =
                Json.object().put("networkDirectory", settings.networkDirectory().toString());
        ArrayNode plugins = description.putArray("pluginDirectories");
        settings.pluginDirectories().forEach(directory -> plugins.add(directory.toString()));
        description.put("cacheDirectory", settings.cacheDirectory().toString());
        found.network()
                .ifPresent(network ->
                        description
                                .put("network", network.name())
                                .put("file", network.source())
                                .put("cniVersion", network.version().toString())
                                .set("config", network.json()));
        String status = found.problem();
        if (!found.invalid().isEmpty()) {
            status += (status.isEmpty() ? "" : "; ") + found.invalidFiles();
        }
        return Map.of(
                "cniconfig",
                new String(Json.write(description), StandardCharsets.UTF_8),
                "lastCNILoadStatus",
                status.isEmpty() ? "OK" : status);
    }

    @Override
    public Result attach(Attachment attachment, Deadline deadline) {
        PodSandboxId sandbox = attachment.sandbox();
        if (attachment.namespace().isEmpty()) {
            throw new IllegalArgumentException("sandbox " + sandbox + " has no network namespace");
        }
        NetworkConfiguration network = networkOrThrow(attachment);
        RuntimeArguments args = RuntimeArguments.of(attachment, attachment.namespace(), network);
        warnOfIgnoredHostPorts(attachment, network);
        Deadline limit = deadline.atMost(settings.timeLimits().add());
        limit.check("CNI ADD for " + args.subject());
        try (var _ = locks.acquire(sandbox.value(), limit)) {
            if (cache.exists(network.name(), sandbox.value())) {
                throw new NetworkException(
                        ErrorKind.FAILED_PRECONDITION,
                        args.subject()
                                + " is attached to network "
                                + network.name()
                                + " already; detach it first");
            }
            awaitCollection(args, limit);
            boolean isAttached = false;
            try {
                live.add(sandbox);
                Result result = add(network, args, limit);
                isAttached = true;
                return result;
            } finally {
                if (!isAttached) {
                    live.remove(sandbox);
                }
                collecting.readLock().unlock();
            }
        }
    }

    /** Takes the lock that keeps GC away. */
    private void awaitCollection(RuntimeArguments args, Deadline deadline) {
        String step = "CNI GC to end before CNI ADD for " + args.subject();
        try {
            if (!collecting.readLock().tryLock(deadline.remainingNanos(), TimeUnit.NANOSECONDS)) {
                throw new DeadlineExceededException(step);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new NetworkException(
                    ErrorKind.CANCELLED, "interrupted while waiting for " + step, e);
        }
    }

    private NetworkConfiguration networkOrThrow(Attachment attachment) {
        return watch.network()
                .orElseThrow(() -> {
                    Found found = watch.found();
                    return new NetworkException(
                            ErrorKind.UNAVAILABLE,
                            "cannot attach pod "
                                    + attachment.podNamespace()
                                    + "/"
                                    + attachment.podName()
                                    + " (sandbox "
                                    + attachment.sandbox()
                                    + "): "
                                    + found.problem()
                                    + (found.invalid().isEmpty()
                                            ? ""
                                            : "; passed over " + found.invalidFiles()));
                });
    }

    /** Not an error: plugins such as Cilium's serve host ports without asking the runtime. */
    private static void warnOfIgnoredHostPorts(
            Attachment attachment, NetworkConfiguration network) {
        if (!network.wants("portMappings")
                && attachment.hostPorts().stream().anyMatch(port -> port.hostPort() != 0)) {
            LOG.warn(
                    "sandbox {}: no plugin of network {} has the capability portMappings; the"
                            + " pod's host ports work only if its plugins find them by themselves",
                    attachment.sandbox(),
                    network.name());
        }
    }

    private Result add(NetworkConfiguration network, RuntimeArguments args, Deadline deadline) {
        PluginChain.Addition addition = new PluginChain(runner, network).addition(args);
        try {
            remember(network, args, Optional.empty());
            CniResult result = addition.run(deadline);
            List<InetAddress> addresses = addresses(network, args, result);
            remember(network, args, Optional.of(result.json()));
            return toResult(addresses, result);
        } catch (RuntimeException | Error e) {
            if (addition.undo(settings.timeLimits().undo(), e)) {
                forget(network, args, e);
            }
            throw e;
        }
    }

    private static List<InetAddress> addresses(
            NetworkConfiguration network, RuntimeArguments args, CniResult result) {
        String problem = "its plugins gave the pod no address";
        try {
            List<InetAddress> addresses = result.addresses();
            if (!addresses.isEmpty()) {
                return addresses;
            }
        } catch (IOException e) {
            problem = String.valueOf(e.getMessage());
        }
        throw new NetworkException(
                ErrorKind.INTERNAL,
                "CNI ADD of network "
                        + network.name()
                        + " for "
                        + args.subject()
                        + ": "
                        + problem
                        + "; the result was "
                        + PluginRunner.tail(text(result)));
    }

    private static Result toResult(List<InetAddress> addresses, CniResult result) {
        return new Result(addresses, text(result));
    }

    private static String text(CniResult result) {
        return new String(Json.write(result.json()), StandardCharsets.UTF_8);
    }

    private void remember(
            NetworkConfiguration network, RuntimeArguments args, Optional<ObjectNode> result) {
        try {
            cache.write(network, args, result);
        } catch (IOException e) {
            throw new NetworkException(
                    ErrorKind.INTERNAL,
                    "cannot write the CNI cache in "
                            + settings.cacheDirectory()
                            + " for "
                            + args.subject()
                            + ": "
                            + e,
                    e);
        }
    }

    private void forget(NetworkConfiguration network, RuntimeArguments args, Throwable cause) {
        try {
            cache.delete(network.name(), args.containerId());
        } catch (IOException e) {
            cause.addSuppressed(e);
        }
    }

    @Override
    public void detach(Attachment attachment, Deadline deadline) {
        live.remove(attachment.sandbox());
        Deadline limit = deadline.atMost(settings.timeLimits().delete());
        String containerId = attachment.sandbox().value();
        try (var _ = locks.acquire(containerId, limit)) {
            Optional<NetworkConfiguration> current = watch.found().network();
            Optional<Path> namespace = attachment.namespace().filter(CniPodNetworks::isNamespace);
            List<AttachmentCache.Entry> entries =
                    cache.find(current.map(NetworkConfiguration::name), containerId);
            for (AttachmentCache.Entry entry : entries) {
                delete(entry, namespace, limit);
            }
            if (entries.isEmpty()) {
                // The entry may have been lost with the pod's address still taken.
                current.or(watch::network)
                        .ifPresent(network -> delete(network, attachment, namespace, limit));
            }
        }
    }

    private void delete(AttachmentCache.Entry entry, Optional<Path> namespace, Deadline deadline) {
        NetworkConfiguration network = entry.network();
        RuntimeArguments cached = entry.args();
        RuntimeArguments args =
                new RuntimeArguments(
                        cached.containerId(),
                        cached.ifName(),
                        namespace.map(Path::toString).orElse(""),
                        cached.cniArgs(),
                        cached.capabilityArgs(),
                        cached.subject());
        new PluginChain(runner, network).delete(args, entry.result(), deadline);
        try {
            cache.delete(network.name(), cached.containerId());
        } catch (IOException e) {
            throw new NetworkException(
                    ErrorKind.INTERNAL,
                    "cannot remove the CNI cache entry of " + cached.subject() + ": " + e,
                    e);
        }
    }

    private void delete(
            NetworkConfiguration network,
            Attachment attachment,
            Optional<Path> namespace,
            Deadline deadline) {
        RuntimeArguments args = RuntimeArguments.of(attachment, namespace, network);
        new PluginChain(runner, network).delete(args, Optional.empty(), deadline);
        try {
            // Also when it exists but could not be read.
            cache.delete(network.name(), args.containerId());
        } catch (IOException e) {
            throw new NetworkException(
                    ErrorKind.INTERNAL,
                    "cannot remove the CNI cache entry of " + args.subject() + ": " + e,
                    e);
        }
    }

    /**
     * Whether a namespace is still pinned on a path. The file that carried the mount stays behind
     * when the mount is gone, and plugins take that for an error instead of for gone. A mounted
     * namespace lies on a device of its own.
     */
    private static boolean isNamespace(Path path) {
        try {
            Path parent = path.toAbsolutePath().getParent();
            return parent != null
                    && !Files.getAttribute(path, "unix:dev")
                            .equals(Files.getAttribute(parent, "unix:dev"));
        } catch (IOException e) {
            return false;
        }
    }

    @Override
    public void check(Attachment attachment, Deadline deadline) {
        Deadline limit = deadline.atMost(settings.timeLimits().check());
        String containerId = attachment.sandbox().value();
        try (var _ = locks.acquire(containerId, limit)) {
            Optional<String> likely = watch.found().network().map(NetworkConfiguration::name);
            List<AttachmentCache.Entry> entries = cache.find(likely, containerId);
            if (entries.isEmpty()) {
                throw new NetworkException(
                        ErrorKind.FAILED_PRECONDITION,
                        "sandbox " + containerId + " is attached to no network");
            }
            for (AttachmentCache.Entry entry : entries) {
                check(entry, limit);
            }
        }
    }

    private void check(AttachmentCache.Entry entry, Deadline deadline) {
        NetworkConfiguration network = entry.network();
        if (network.disableCheck() || !network.version().hasCheck()) {
            return;
        }
        ObjectNode result =
                entry.result()
                        .orElseThrow(() ->
                                new NetworkException(
                                        ErrorKind.FAILED_PRECONDITION,
                                        "the attachment of "
                                                + entry.args().subject()
                                                + " to network "
                                                + network.name()
                                                + " was never finished"));
        new PluginChain(runner, network).check(entry.args(), result, deadline);
    }

    @Override
    public List<KnownAttachment> attachments() {
        List<KnownAttachment> attachments = new ArrayList<>();
        for (AttachmentCache.Entry entry : cache.own()) {
            RuntimeArguments args = entry.args();
            attachments.add(
                    new KnownAttachment(
                            new PodSandboxId(args.containerId()),
                            entry.network().name(),
                            args.cniArgs().getOrDefault(RuntimeArguments.POD_NAME, ""),
                            args.cniArgs().getOrDefault(RuntimeArguments.POD_NAMESPACE, ""),
                            args.cniArgs().getOrDefault(RuntimeArguments.POD_UID, ""),
                            args.netns().isEmpty()
                                    ? Optional.empty()
                                    : Optional.of(Path.of(args.netns())),
                            entry.result().flatMap(CniPodNetworks::cachedResult)));
        }
        return attachments;
    }

    private static Optional<Result> cachedResult(ObjectNode json) {
        CniResult result = new CniResult(json);
        try {
            return Optional.of(toResult(result.addresses(), result));
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    @Override
    public Collected collectGarbage(Set<PodSandboxId> known, Deadline deadline) {
        List<PodSandboxId> detached = new ArrayList<>();
        List<String> failures = new ArrayList<>();
        for (KnownAttachment attachment : attachments()) {
            PodSandboxId sandbox = attachment.sandbox();
            if (known.contains(sandbox) || live.contains(sandbox)) {
                continue;
            }
            try {
                detach(attachment.toAttachment(), deadline);
                detached.add(sandbox);
            } catch (CremaException e) {
                failures.add(String.valueOf(e.getMessage()));
            }
        }
        cache.deleteLeftovers();
        watch.found()
                .network()
                .filter(network -> network.version().hasStatusAndGc() && !network.disableGc())
                .ifPresent(network -> failures.addAll(askPlugins(network, known, deadline)));
        return new Collected(detached, failures);
    }

    /** GC: whatever plugins hold for none of the attachments that anybody here knows. */
    private List<String> askPlugins(
            NetworkConfiguration network, Set<PodSandboxId> known, Deadline deadline) {
        // Never queues for the lock: that would hold up every ADD behind the slowest one.
        if (!collecting.writeLock().tryLock()) {
            return List.of(
                    "CNI GC of network "
                            + network.name()
                            + " was left out because pods are being attached");
        }
        try {
            return askPluginsAlone(network, known, deadline);
        } finally {
            collecting.writeLock().unlock();
        }
    }

    private List<String> askPluginsAlone(
            NetworkConfiguration network, Set<PodSandboxId> known, Deadline deadline) {
        Set<String> valid = new HashSet<>();
        known.forEach(sandbox -> valid.add(sandbox.value()));
        for (AttachmentCache.Entry entry : cache.all()) {
            if (entry.network().name().equals(network.name())) {
                // Another runtime's, or one whose DEL has just failed and will be tried again.
                valid.add(entry.args().containerId());
            }
        }
        live.forEach(sandbox -> valid.add(sandbox.value()));
        List<String> failures = new ArrayList<>();
        Deadline limit = deadline.atMost(settings.timeLimits().collectGarbage());
        for (NetworkException failure :
                new PluginChain(runner, network).collectGarbage(valid, limit)) {
            failures.add(String.valueOf(failure.getMessage()));
        }
        return failures;
    }

    @Override
    public void close() {
        watch.close();
    }
}
