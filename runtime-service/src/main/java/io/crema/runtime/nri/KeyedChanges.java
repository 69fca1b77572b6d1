package io.crema.runtime.nri;

import io.crema.nri.v1alpha1.Field;
import io.crema.runtime.state.PodException;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;

/**
 * What plugins change of a field that is set entry by entry: values by key, and keys that are
 * removed. A key is marked for removal by a dash before it.
 */
final class KeyedChanges<V> {
    private static final String MARK = "-";

    private final Field field;
    private final String container;
    private final FieldClaims claims;
    private final boolean removalsAreClaims;
    private final Map<String, V> values = new LinkedHashMap<>();
    private final Set<String> removed = new LinkedHashSet<>();

    /** A field whose removals let the same plugin set it again. */
    KeyedChanges(Field field, String container, FieldClaims claims) {
        this(field, container, claims, false);
    }

    /**
     * @param removalsAreClaims whether removing an entry keeps others from setting it
     */
    KeyedChanges(Field field, String container, FieldClaims claims, boolean removalsAreClaims) {
        this.field = field;
        this.container = container;
        this.claims = claims;
        this.removalsAreClaims = removalsAreClaims;
    }

    /**
     * What one plugin's answer changes.
     *
     * @param touched the keys that are no longer what they were
     * @param added the values that are in their place, or new
     */
    record Change<V>(Set<String> touched, Map<String, V> added) {}

    /**
     * @param key of an entry, with the mark when it is to be removed
     * @throws PodException when another plugin has set one of them
     */
    Change<V> add(String plugin, List<V> entries, Function<V, String> key) {
        Set<String> removals = new LinkedHashSet<>();
        Map<String, V> additions = new LinkedHashMap<>();
        for (V entry : entries) {
            String name = key.apply(entry);
            boolean isRemoval = name.startsWith(MARK);
            if (isRemoval) {
                name = name.substring(MARK.length());
            }
            if (name.isEmpty()) {
                throw PodException.invalid(
                        "NRI plugin "
                                + plugin
                                + ": "
                                + FieldNames.of(field, "")
                                + " of container "
                                + container
                                + " holds an entry without a name");
            }
            if (isRemoval) {
                removals.add(name);
            } else if (additions.put(name, entry) != null) {
                throw PodException.invalid(
                        "NRI plugin "
                                + plugin
                                + ": "
                                + FieldNames.of(field, name)
                                + " of container "
                                + container
                                + " is set twice");
            }
        }
        for (String name : removals) {
            if (removalsAreClaims) {
                claims.claim(container, field, name, plugin);
                claims.remove(container, field, name, plugin);
            } else if (claims.isClaimed(container, field, name)) {
                claims.remove(container, field, name, plugin);
            }
            values.remove(name);
            removed.add(name);
        }
        additions.forEach((name, value) -> {
            claims.claim(container, field, name, plugin);
            removed.remove(name);
            // At the end, where it takes effect.
            values.remove(name);
            values.put(name, value);
        });
        removals.addAll(additions.keySet());
        return new Change<>(removals, additions);
    }

    Map<String, V> values() {
        return values;
    }

    /** Keys with their mark. */
    List<String> removals() {
        return removed.stream().map(name -> MARK + name).toList();
    }
}
