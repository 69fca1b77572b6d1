package io.crema.runtime.spec;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.SecurityProfile;
import io.crema.cri.v1.SecurityProfile.ProfileType;
import io.crema.runtime.state.PodException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Which AppArmor profile a container gets. */
final class AppArmorPolicy {
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
     * @param warnings gets a sentence when the default profile is not there
     * @return null for none
     */
    @Nullable String profile(
            SecurityProfile requested, String field, boolean isPrivileged, List<String> warnings) {
        if (requested.getProfileType() == ProfileType.Localhost) {
            return localhost(requested.getLocalhostRef(), field);
        }
        if (!isAvailable
                || isPrivileged
                || requested.getProfileType() != ProfileType.RuntimeDefault
                || defaultProfile.isEmpty()
                || defaultProfile.equals("unconfined")) {
            return null;
        }
        if (!profiles.isLoaded(defaultProfile)) {
            warnings.add(
                    "the AppArmor profile "
                            + defaultProfile
                            + " is not loaded on this node; the container runs without");
            return null;
        }
        return defaultProfile;
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
