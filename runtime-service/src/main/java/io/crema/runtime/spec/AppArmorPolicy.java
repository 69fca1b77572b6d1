package io.crema.runtime.spec;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.SecurityProfile;
import io.crema.cri.v1.SecurityProfile.ProfileType;
import io.crema.runtime.state.PodException;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Which AppArmor profile a container gets. */
final class AppArmorPolicy {
    private static final Logger LOG = LoggerFactory.getLogger(AppArmorPolicy.class);
    private static final String LOCALHOST = "localhost/";

    private final boolean isAvailable;
    private final AppArmorProfiles profiles;
    private final String defaultProfile;

    AppArmorPolicy(boolean isAvailable, AppArmorProfiles profiles, String defaultProfile) {
        this.isAvailable = isAvailable;
        this.profiles = profiles;
        this.defaultProfile = defaultProfile;
    }

    /**
     * @param isRequired whether the request asks for the default profile in words, so that it must
     *     not run without
     * @param warnings gets a sentence when the default profile is not there
     * @return null for none
     * @throws PodException FAILED_PRECONDITION for a profile that this node does not have
     */
    @Nullable String profile(
            SecurityProfile requested,
            String field,
            boolean isPrivileged,
            boolean isRequired,
            List<String> warnings) {
        if (requested.getProfileType() == ProfileType.Localhost) {
            return localhost(requested.getLocalhostRef(), field);
        }
        if (!isAvailable
                || isPrivileged
                || requested.getProfileType() != ProfileType.RuntimeDefault
                || defaultProfile.equals("unconfined")) {
            return null;
        }
        Optional<String> trouble = profiles.provide(defaultProfile);
        if (trouble.isEmpty()) {
            return defaultProfile;
        }
        if (isRequired) {
            throw new PodException(ErrorKind.FAILED_PRECONDITION, field + ": " + trouble.get());
        }
        warnings.add(trouble.get() + "; the container runs without");
        return null;
    }

    /** Loads the default profile, if this node needs it. */
    void warmUp() {
        if (isAvailable && !defaultProfile.equals("unconfined")) {
            profiles.provide(defaultProfile).ifPresent(LOG::warn);
        }
    }

    private String localhost(String reference, String field) {
        String name =
                reference.startsWith(LOCALHOST)
                        ? reference.substring(LOCALHOST.length())
                        : reference;
        if (!isAvailable) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    field + ": profile '" + name + "' is asked for, but this node has no AppArmor");
        }
        if (!profiles.isLoaded(name)) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    field
                            + ": profile '"
                            + name
                            + "' is not loaded on this node; load it with apparmor_parser");
        }
        return name;
    }
}
