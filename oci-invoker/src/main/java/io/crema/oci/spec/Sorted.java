package io.crema.oci.spec;

import java.util.Collections;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** Maps in the order of their keys, so that equal specifications are equal bytes. */
final class Sorted {
    private Sorted() {}

    static <V> SortedMap<String, V> copy(@Nullable Map<String, V> map) {
        return map == null || map.isEmpty()
                ? Collections.emptySortedMap()
                : Collections.unmodifiableSortedMap(new TreeMap<>(map));
    }
}
