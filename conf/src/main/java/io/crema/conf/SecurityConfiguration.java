package io.crema.conf;

import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * What confines containers by default (keys of {@code [crio.runtime]}).
 *
 * @param seccompProfile what RuntimeDefault means; absent for the built-in profile
 * @param privilegedSeccompProfile for privileged containers; absent for none
 * @param appArmorProfile what RuntimeDefault means
 * @param defaultCapabilities without CAP_, in upper case
 * @param inheritableCapabilities whether capabilities are also put into the inheritable set
 */
public record SecurityConfiguration(
        boolean selinux,
        boolean hostNetworkDisablesSelinux,
        Optional<Path> seccompProfile,
        Optional<Path> privilegedSeccompProfile,
        String appArmorProfile,
        List<String> defaultCapabilities,
        boolean inheritableCapabilities) {
    public SecurityConfiguration {
        seccompProfile = Require.absolute("seccomp_profile", seccompProfile);
        privilegedSeccompProfile =
                Require.absolute("privileged_seccomp_profile", privilegedSeccompProfile);
        defaultCapabilities = List.copyOf(defaultCapabilities);
        for (String capability : defaultCapabilities) {
            Require.that(
                    !capability.startsWith("CAP_") && capability.equals(upper(capability)),
                    "default_capabilities must be in upper case and without CAP_: '"
                            + capability
                            + "'");
        }
    }

    private static String upper(String text) {
        return text.toUpperCase(Locale.ROOT);
    }
}
