package io.crema.runtime.spec;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.ContainerResources;
import io.crema.cri.v1.ContainerStatus;
import io.crema.cri.v1.ContainerUser;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.cri.v1.LinuxContainerUser;
import io.crema.cri.v1.Mount;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.oci.spec.SpecJson;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;

/**
 * A specification and what was decided on the way to it.
 *
 * @param user of the first process
 * @param mounts those that were asked for, as they are done
 * @param stopSignal what StopContainer sends first
 * @param resources the limits in effect
 * @param files to be written into the bundle
 * @param warnings for the log: what was asked for, allowed to fail, and failed
 */
public record BuiltSpec(
        RuntimeSpec spec,
        LinuxContainerUser user,
        List<Mount> mounts,
        StopSignal stopSignal,
        LinuxContainerResources resources,
        List<GeneratedFile> files,
        List<String> warnings) {
    /** The name that every OCI runtime looks for. */
    public static final String CONFIG_FILE = "config.json";

    public BuiltSpec {
        mounts = List.copyOf(mounts);
        files = List.copyOf(files);
        warnings = List.copyOf(warnings);
    }

    /** The parts of ContainerStatus that are settled now: mounts, user, resources, stop signal. */
    public ContainerStatus effective() {
        return ContainerStatus.newBuilder()
                .addAllMounts(mounts)
                .setUser(ContainerUser.newBuilder().setLinux(user))
                .setResources(ContainerResources.newBuilder().setLinux(resources))
                .setStopSignal(stopSignal.signal())
                .build();
    }

    /**
     * Writes config.json, which holds secrets of the environment, for us only, and the files that
     * it mounts for everybody in the container.
     */
    public void writeTo(Path bundle) {
        try {
            for (GeneratedFile file : files) {
                write(file.path(), file.content(), "rw-r--r--");
            }
            write(bundle.resolve(CONFIG_FILE), SpecJson.write(spec), "rw-------");
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL, "cannot write the bundle " + bundle + ": " + e, e);
        }
    }

    private static void write(Path file, byte[] content, String mode) throws IOException {
        Files.deleteIfExists(file);
        Files.createFile(
                file,
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        Files.write(file, content);
        // Whatever our umask is.
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(mode));
    }
}
