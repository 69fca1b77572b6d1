package io.crema.image.store;

import java.util.concurrent.Executor;
import java.util.concurrent.ThreadFactory;

/**
 * A new platform thread for each task. For work that waits inside native calls, which would hold on
 * to the few threads that carry virtual ones. Tasks are long and few; their number is bounded where
 * they are made.
 */
final class PlatformThreads implements Executor {
    private final ThreadFactory factory;

    PlatformThreads(String name) {
        this.factory = Thread.ofPlatform().daemon().name(name + "-", 0).factory();
    }

    @Override
    public void execute(Runnable task) {
        factory.newThread(task).start();
    }
}
