package io.crema.runtime.state;

import java.util.function.Consumer;

/** Tells a watcher of all changes, and one more listener of the ends of containers. */
public record ChangesWithEnds(Changes watcher, Consumer<Container> ends) implements Changes {
    @Override
    public void created(PodSandbox sandbox) {
        watcher.created(sandbox);
    }

    @Override
    public void stopped(PodSandbox sandbox) {
        watcher.stopped(sandbox);
    }

    @Override
    public void deleted(PodSandbox sandbox) {
        watcher.deleted(sandbox);
    }

    @Override
    public void created(Container container) {
        watcher.created(container);
    }

    @Override
    public void started(Container container) {
        watcher.started(container);
    }

    @Override
    public void stopped(Container container) {
        watcher.stopped(container);
        ends.accept(container);
    }

    @Override
    public void deleted(Container container) {
        watcher.deleted(container);
    }
}
