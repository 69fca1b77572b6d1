package io.crema.oci.spec;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What an absent list of a JSON document means: the empty one. */
final class Lists {
    private Lists() {}

    static <T> List<T> copy(@Nullable List<T> list) {
        return list == null ? List.of() : List.copyOf(list);
    }

    static <T> List<T> join(List<T> first, List<T> second) {
        List<T> all = new ArrayList<>(first);
        all.addAll(second);
        return all;
    }
}
