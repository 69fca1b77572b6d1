package io.crema.runtime.state;

import io.crema.base.ContainerId;
import io.crema.base.ErrorKind;
import io.crema.base.ImageId;
import io.crema.base.PodSandboxId;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * All pod sandboxes and containers of this node that are completely made, by id. Look-ups accept a
 * unique prefix of an id (crictl sends them) and never wait.
 */
public final class Inventory {
    private final Map<String, PodSandbox> sandboxes = new ConcurrentHashMap<>();
    private final Map<String, Container> containers = new ConcurrentHashMap<>();
    private volatile Changes changes = Changes.UNWATCHED;

    /** Has all later changes told to one watcher. */
    public void watch(Changes watcher) {
        changes = watcher;
    }

    public Collection<PodSandbox> sandboxes() {
        return sandboxes.values();
    }

    public Collection<Container> containers() {
        return containers.values();
    }

    public void add(PodSandbox sandbox) {
        sandbox.join(changes, () -> sandboxes.put(sandbox.id().value(), sandbox));
    }

    public void add(Container container) {
        container.join(changes, () -> containers.put(container.id().value(), container));
    }

    public void remove(PodSandbox sandbox) {
        if (sandboxes.remove(sandbox.id().value()) != null) {
            changes.deleted(sandbox);
        }
    }

    public void remove(Container container) {
        if (containers.remove(container.id().value()) != null) {
            changes.deleted(container);
        }
    }

    /**
     * @throws PodException INVALID_ARGUMENT when the text is empty or a prefix of several ids
     */
    public Optional<PodSandbox> findSandbox(String idOrPrefix) {
        return find("pod sandbox", "pod_sandbox_id", idOrPrefix, sandboxes);
    }

    /**
     * @throws PodException INVALID_ARGUMENT when the text is empty or a prefix of several ids
     */
    public Optional<Container> findContainer(String idOrPrefix) {
        return find("container", "container_id", idOrPrefix, containers);
    }

    /**
     * @throws PodException NOT_FOUND when there is none
     */
    public PodSandbox sandbox(String idOrPrefix) {
        return findSandbox(idOrPrefix).orElseThrow(() -> notFound("pod sandbox", idOrPrefix));
    }

    /**
     * @throws PodException NOT_FOUND when there is none
     */
    public Container container(String idOrPrefix) {
        return findContainer(idOrPrefix).orElseThrow(() -> notFound("container", idOrPrefix));
    }

    public Optional<PodSandbox> sandbox(PodSandboxId id) {
        return Optional.ofNullable(sandboxes.get(id.value()));
    }

    public Optional<Container> container(ContainerId id) {
        return Optional.ofNullable(containers.get(id.value()));
    }

    public List<Container> containersOf(PodSandboxId sandbox) {
        List<Container> found = new ArrayList<>();
        for (Container container : containers.values()) {
            if (container.sandbox().equals(sandbox)) {
                found.add(container);
            }
        }
        return found;
    }

    /** Whether a container of the image exists in any state. */
    public boolean uses(ImageId image) {
        return containers.values().stream().anyMatch(c -> c.record().image().equals(image));
    }

    private static <T> Optional<T> find(
            String what, String field, String idOrPrefix, Map<String, T> all) {
        if (idOrPrefix.isEmpty()) {
            throw PodException.invalid(field + " is empty; name the " + what + " by its id");
        }
        T exact = all.get(idOrPrefix);
        if (exact != null || idOrPrefix.length() >= 64) {
            return Optional.ofNullable(exact);
        }
        List<String> matches = new ArrayList<>();
        for (String id : all.keySet()) {
            if (id.startsWith(idOrPrefix)) {
                matches.add(id);
            }
        }
        if (matches.size() > 1) {
            throw PodException.invalid(
                    "'"
                            + idOrPrefix
                            + "' is the beginning of "
                            + matches.size()
                            + " "
                            + what
                            + " ids; give more characters");
        }
        return matches.isEmpty()
                ? Optional.empty()
                : Optional.ofNullable(all.get(matches.getFirst()));
    }

    private static PodException notFound(String what, String id) {
        return new PodException(
                ErrorKind.NOT_FOUND, "no " + what + " with id " + id + " on this node");
    }
}
