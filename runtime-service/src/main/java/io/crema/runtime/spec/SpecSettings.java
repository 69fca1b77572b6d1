package io.crema.runtime.spec;

import io.crema.conf.CremaConfiguration;
import io.crema.conf.DeviceConfiguration;
import io.crema.conf.ImageSettings.ImageVolumes;
import io.crema.conf.RuntimeConfiguration;
import io.crema.conf.SecurityConfiguration;
import java.nio.file.Path;
import java.util.List;

/**
 * The part of the configuration that shapes specifications.
 *
 * @param storageRoots directories that hold root file systems of containers: a mount that covers
 *     one must let go of what is unmounted there
 */
public record SpecSettings(
        RuntimeConfiguration runtime,
        SecurityConfiguration security,
        DeviceConfiguration devices,
        ImageVolumes imageVolumes,
        List<Path> storageRoots) {
    public SpecSettings {
        storageRoots = List.copyOf(storageRoots);
    }

    public static SpecSettings of(CremaConfiguration configuration, List<Path> storageRoots) {
        return new SpecSettings(
                configuration.runtime(),
                configuration.security(),
                configuration.devices(),
                configuration.image().imageVolumes(),
                storageRoots);
    }
}
