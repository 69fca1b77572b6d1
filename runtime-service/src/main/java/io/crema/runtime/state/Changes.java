package io.crema.runtime.state;

/**
 * Told of what becomes of the pod sandboxes and containers of an inventory, in order, by the thread
 * that brings it about, which holds a container's monitor; must not wait for anything.
 */
public interface Changes {
    /** For an inventory that nobody watches. */
    Changes UNWATCHED =
            new Changes() {
                @Override
                public void created(PodSandbox sandbox) {}

                @Override
                public void stopped(PodSandbox sandbox) {}

                @Override
                public void deleted(PodSandbox sandbox) {}

                @Override
                public void created(Container container) {}

                @Override
                public void started(Container container) {}

                @Override
                public void stopped(Container container) {}

                @Override
                public void deleted(Container container) {}
            };

    /** It is ready: there is no time between its making and its start. */
    void created(PodSandbox sandbox);

    void stopped(PodSandbox sandbox);

    void deleted(PodSandbox sandbox);

    void created(Container container);

    void started(Container container);

    /** Also of one that could not be started. */
    void stopped(Container container);

    void deleted(Container container);
}
