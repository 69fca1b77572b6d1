package io.crema.conf;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Where state is kept ({@code [crio]}).
 *
 * @param root survives a reboot
 * @param runRoot vanishes with a reboot
 * @param imageStore a separate place for image layers
 * @param driverOptions as in storage.conf: {@code overlay.mountopt=nodev}
 * @param logDirectory for logs of pods whose request names no directory
 * @param versionFile on a tmpfs; its absence at start says that the machine was rebooted
 * @param persistentVersionFile on disk; a changed minor version in it says "upgraded"
 * @param cleanShutdownFile written at a clean stop
 * @param repairAfterUncleanStop whether storage is checked when that file is missing after a reboot
 */
public record StorageConfiguration(
        Path root,
        Path runRoot,
        Optional<Path> imageStore,
        List<String> driverOptions,
        Path logDirectory,
        Path versionFile,
        Optional<Path> persistentVersionFile,
        Path cleanShutdownFile,
        boolean repairAfterUncleanStop) {
    public StorageConfiguration {
        root = Require.absolute("root", root);
        runRoot = Require.absolute("runroot", runRoot);
        Require.that(
                !root.equals(runRoot),
                "root and runroot must differ, because what is below runroot vanishes with a"
                        + " reboot; both are '"
                        + root
                        + "'");
        imageStore = Require.absolute("imagestore", imageStore);
        driverOptions = List.copyOf(driverOptions);
        logDirectory = Require.absolute("log_dir", logDirectory);
        versionFile = Require.absolute("version_file", versionFile);
        persistentVersionFile = Require.absolute("version_file_persist", persistentVersionFile);
        cleanShutdownFile = Require.absolute("clean_shutdown_file", cleanShutdownFile);
    }
}
