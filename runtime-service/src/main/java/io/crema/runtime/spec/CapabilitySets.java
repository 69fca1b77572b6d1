package io.crema.runtime.spec;

import io.crema.base.ErrorKind;
import io.crema.oci.spec.ContainerProcess.Capabilities;
import io.crema.runtime.state.PodException;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Which capabilities a container gets. Nobody can be given what this daemon itself lacks: such a
 * default is left out silently, such a request is refused by name, because the OCI runtime would
 * only say "operation not permitted".
 */
final class CapabilitySets {
    private static final String FIELD = "linux.security_context.capabilities.";
    private static final String ALL = "ALL";

    private final Set<Capability> defaults;
    private final Set<Capability> bounding;
    private final boolean inheritable;

    /**
     * @param inheritable whether the result goes into the inheritable set too
     */
    CapabilitySets(Set<Capability> defaults, Set<Capability> bounding, boolean inheritable) {
        this.defaults = defaults;
        this.bounding = bounding;
        this.inheritable = inheritable;
    }

    static Set<Capability> parseAll(List<String> names) {
        Set<Capability> set = EnumSet.noneOf(Capability.class);
        for (String name : names) {
            set.add(
                    Capability.parse(name)
                            .orElseThrow(() ->
                                    PodException.invalid(
                                            "default_capabilities: unknown capability " + name)));
        }
        return set;
    }

    Capabilities privileged() {
        return sets(bounding, EnumSet.noneOf(Capability.class));
    }

    Capabilities of(io.crema.cri.v1.Capability requested) {
        Set<Capability> result = EnumSet.noneOf(Capability.class);
        result.addAll(defaults);
        if (hasAll(requested.getAddCapabilitiesList())) {
            result.addAll(bounding);
        }
        if (hasAll(requested.getDropCapabilitiesList())) {
            result.clear();
        }
        for (String name : requested.getAddCapabilitiesList()) {
            parse("add_capabilities", name).ifPresent(one -> result.add(held(one)));
        }
        for (String name : requested.getDropCapabilitiesList()) {
            parse("drop_capabilities", name).ifPresent(result::remove);
        }
        result.retainAll(bounding);
        Set<Capability> ambient = EnumSet.noneOf(Capability.class);
        for (String name : requested.getAddAmbientCapabilitiesList()) {
            parse("add_ambient_capabilities", name).ifPresent(one -> ambient.add(held(one)));
        }
        if (hasAll(requested.getAddAmbientCapabilitiesList())) {
            ambient.addAll(result);
        }
        result.addAll(ambient);
        return sets(result, ambient);
    }

    private static boolean hasAll(List<String> names) {
        return names.stream().anyMatch(ALL::equalsIgnoreCase);
    }

    /** Empty for ALL. */
    private static Optional<Capability> parse(String field, String name) {
        if (name.equalsIgnoreCase(ALL)) {
            return Optional.empty();
        }
        Optional<Capability> capability = Capability.parse(name);
        if (capability.isEmpty()) {
            throw PodException.invalid(FIELD + field + ": unknown capability '" + name + "'");
        }
        return capability;
    }

    private Capability held(Capability capability) {
        if (!bounding.contains(capability)) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    FIELD
                            + "add_capabilities: this daemon runs without "
                            + capability.specName()
                            + " and cannot give it to a container");
        }
        return capability;
    }

    // An ambient capability must be permitted and inheritable as well (capabilities(7)).
    private Capabilities sets(Set<Capability> result, Set<Capability> ambient) {
        List<String> names = Capability.specNames(result);
        List<String> ambientNames = Capability.specNames(ambient);
        return new Capabilities(
                names, names, inheritable ? names : ambientNames, names, ambientNames);
    }
}
