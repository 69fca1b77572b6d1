package io.crema.runtime.cdi;

import java.util.Map;

/**
 * One file: a kind of devices, each with what it changes, and what any of them changes.
 *
 * @param kind vendor and class: example.com/gpu
 * @param devices by name
 */
record CdiSpec(String kind, ContainerEdits edits, Map<String, ContainerEdits> devices) {
    CdiSpec {
        devices = Map.copyOf(devices);
    }
}
