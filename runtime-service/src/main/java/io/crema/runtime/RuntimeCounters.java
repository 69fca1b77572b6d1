package io.crema.runtime;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;

/** Counts what happens to containers behind the calls, for metrics; from the start on. */
public final class RuntimeCounters {
    /** Names come and go with pods; the ones counted longest ago make room. */
    private static final int MAX_NAMES = 256;

    private final AtomicLong outOfMemory = new AtomicLong();
    private final AtomicLong droppedEvents = new AtomicLong();
    private final Map<String, Long> outOfMemoryByName = bounded();
    private final Map<String, Long> lostMonitorsByName = bounded();

    private static Map<String, Long> bounded() {
        return new LinkedHashMap<>(16, 0.75f, true) {
            private static final long serialVersionUID = 1L;

            @Override
            protected boolean removeEldestEntry(Map.Entry<String, Long> eldest) {
                return size() > MAX_NAMES;
            }
        };
    }

    void ranOutOfMemory(String name) {
        outOfMemory.incrementAndGet();
        synchronized (outOfMemoryByName) {
            outOfMemoryByName.merge(name, 1L, Long::sum);
        }
    }

    void lostMonitor(String name) {
        synchronized (lostMonitorsByName) {
            lostMonitorsByName.merge(name, 1L, Long::sum);
        }
    }

    void droppedEvents(int number) {
        droppedEvents.addAndGet(number);
    }

    /** Containers that the kernel killed for want of memory. */
    public long outOfMemory() {
        return outOfMemory.get();
    }

    /** The same by the container's name. */
    public Map<String, Long> outOfMemoryByName() {
        synchronized (outOfMemoryByName) {
            return Map.copyOf(outOfMemoryByName);
        }
    }

    /** Containers whose monitor ended before them, by name. */
    public Map<String, Long> lostMonitorsByName() {
        synchronized (lostMonitorsByName) {
            return Map.copyOf(lostMonitorsByName);
        }
    }

    /** Events that a subscriber did not get because it was too slow. */
    public long droppedEvents() {
        return droppedEvents.get();
    }
}
