package io.crema.conf;

import java.nio.file.Path;
import java.util.List;

/**
 * Devices and hooks (keys of {@code [crio.runtime]}).
 *
 * @param allowedDevices what the devices annotation of a pod may name
 * @param additionalDevices for every container: {@code host:container:permissions}
 * @param cdiSpecDirectories later ones win
 * @param ownershipFromSecurityContext whether devices belong to the container's user
 * @param hooksDirectories OCI hooks; later ones win
 */
public record DeviceConfiguration(
        List<Path> allowedDevices,
        List<String> additionalDevices,
        List<Path> cdiSpecDirectories,
        boolean ownershipFromSecurityContext,
        List<Path> hooksDirectories) {
    public DeviceConfiguration {
        allowedDevices = List.copyOf(allowedDevices);
        Require.absolute("allowed_devices", allowedDevices);
        additionalDevices = List.copyOf(additionalDevices);
        cdiSpecDirectories = List.copyOf(cdiSpecDirectories);
        Require.absolute("cdi_spec_dirs", cdiSpecDirectories);
        hooksDirectories = List.copyOf(hooksDirectories);
        Require.absolute("hooks_dir", hooksDirectories);
    }
}
