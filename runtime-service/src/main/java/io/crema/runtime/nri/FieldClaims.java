package io.crema.runtime.nri;

import io.crema.base.ErrorKind;
import io.crema.nri.v1alpha1.CompoundFieldOwners;
import io.crema.nri.v1alpha1.Field;
import io.crema.nri.v1alpha1.FieldOwners;
import io.crema.nri.v1alpha1.OwningPlugins;
import io.crema.runtime.state.PodException;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.SortedSet;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Which plugin set which field of which container in the course of one event: no two plugins may
 * set the same. A plugin that removes what an earlier one had set takes the field over: only it may
 * set it again.
 */
final class FieldClaims {
    /** Before the name of a plugin that removed a field and has not set it again. */
    private static final String REMOVED = "-";

    /**
     * @param entry of a field that is set entry by entry: an annotation's name; empty for others
     */
    private record Place(Field field, String entry) implements Comparable<Place> {
        @Override
        public int compareTo(Place other) {
            int byField = field.compareTo(other.field);
            return byField == 0 ? entry.compareTo(other.entry) : byField;
        }
    }

    private record Claim(String plugin, boolean isRemoval) {}

    private final Map<String, TreeMap<Place, Claim>> containers = new HashMap<>();
    private final Map<String, SortedSet<String>> plugins = new HashMap<>();

    /** A plugin wants something of a container, be it what nobody owns. */
    void takesPart(String container, String plugin) {
        plugins.computeIfAbsent(container, id -> new TreeSet<>()).add(plugin);
    }

    /**
     * @throws PodException when another plugin has set it
     */
    void claim(String container, Field field, String plugin) {
        claim(container, field, "", plugin);
    }

    /**
     * @throws PodException when another plugin has set this entry, or the same one has twice
     */
    void claim(String container, Field field, String entry, String plugin) {
        Map<Place, Claim> claims = of(container);
        Place place = new Place(field, entry);
        Claim before = claims.get(place);
        if (before != null && !(before.isRemoval && before.plugin.equals(plugin))) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    before.plugin.equals(plugin)
                            ? "NRI plugin "
                                    + plugin
                                    + " sets "
                                    + FieldNames.of(field, entry)
                                    + " of container "
                                    + container
                                    + " twice"
                            : "NRI plugins "
                                    + before.plugin
                                    + " and "
                                    + plugin
                                    + " both set "
                                    + FieldNames.of(field, entry)
                                    + " of container "
                                    + container
                                    + "; configure one of them not to");
        }
        claims.put(place, new Claim(plugin, false));
    }

    /** Several may have a part in it: hooks of all plugins are run. */
    void share(String container, Field field, String plugin) {
        of(container)
                .merge(
                        new Place(field, ""),
                        new Claim(plugin, false),
                        (before, after) -> new Claim(before.plugin + "," + plugin, false));
    }

    /** A plugin removes it, whoever had set it. */
    void remove(String container, Field field, String entry, String plugin) {
        of(container).put(new Place(field, entry), new Claim(plugin, true));
    }

    boolean isClaimed(String container, Field field, String entry) {
        return of(container).containsKey(new Place(field, entry));
    }

    /** Who set or removed it. */
    Optional<String> plugin(String container, Field field, String entry) {
        return Optional.ofNullable(of(container).get(new Place(field, entry))).map(Claim::plugin);
    }

    /** All that want anything of a container. */
    SortedSet<String> plugins(String container) {
        return new TreeSet<>(plugins.getOrDefault(container, new TreeSet<>()));
    }

    /** Remembers those of one container; running the result brings them back. */
    Runnable undo(String container) {
        TreeMap<Place, Claim> before = new TreeMap<>(of(container));
        return () -> containers.put(container, before);
    }

    private Map<Place, Claim> of(String container) {
        return containers.computeIfAbsent(container, id -> new TreeMap<>());
    }

    /** For plugins that validate; who only removed something is marked as the removal is. */
    OwningPlugins message() {
        OwningPlugins.Builder all = OwningPlugins.newBuilder();
        containers.forEach((container, claims) -> {
            FieldOwners.Builder owners = FieldOwners.newBuilder();
            Map<Integer, CompoundFieldOwners.Builder> compound = new TreeMap<>();
            claims.forEach((place, claim) -> {
                String value = claim.isRemoval ? REMOVED + claim.plugin : claim.plugin;
                int number = place.field.getNumber();
                if (FieldNames.hasEntries(place.field)) {
                    compound.computeIfAbsent(number, key -> CompoundFieldOwners.newBuilder())
                            .putOwners(place.entry, value);
                } else {
                    owners.putSimple(number, value);
                }
            });
            compound.forEach((number, entries) -> owners.putCompound(number, entries.build()));
            if (!claims.isEmpty()) {
                all.putOwners(container, owners.build());
            }
        });
        return all.build();
    }

    /**
     * What cannot be done for a plugin.
     *
     * @param entry empty for a field without
     */
    PodException refusal(String container, Field field, String entry, String reason) {
        return new PodException(
                ErrorKind.FAILED_PRECONDITION,
                "NRI plugin "
                        + plugin(container, field, entry)
                                .orElseGet(() -> String.join(",", plugins(container)))
                        + ": "
                        + FieldNames.of(field, entry)
                        + " of container "
                        + container
                        + ": "
                        + reason);
    }
}
