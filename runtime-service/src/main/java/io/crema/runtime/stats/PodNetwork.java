package io.crema.runtime.stats;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The network interfaces of a pod, without the loopback one.
 *
 * @param main the one that CNI made, or the first when none has its name; absent when there is none
 */
record PodNetwork(Optional<InterfaceCounters> main, List<InterfaceCounters> others) {
    PodNetwork {
        others = List.copyOf(others);
    }

    /** All of them, the main one first. */
    List<InterfaceCounters> all() {
        List<InterfaceCounters> all = new ArrayList<>(others.size() + 1);
        main.ifPresent(all::add);
        all.addAll(others);
        return all;
    }
}
