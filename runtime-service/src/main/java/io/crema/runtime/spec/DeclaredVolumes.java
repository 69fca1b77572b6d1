package io.crema.runtime.spec;

import io.crema.base.ErrorKind;
import io.crema.conf.ImageSettings.ImageVolumes;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.runtime.selinux.Relabelling;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.Predicate;

/**
 * What becomes of the volumes that an image declares: directories in the root file system,
 * directories outside of it that live as long as the container, or nothing. What is made belongs to
 * the user of the container's process, or as the image says.
 */
final class DeclaredVolumes {
    private static final String PURPOSE = "the image's volume";
    private static final int NEW_MODE = 0755;

    private final LinuxFiles files;
    private final SpecRequest request;
    private final RootDirectory root;
    private final ResolvedUser user;
    private final String fileLabel;

    /**
     * @param fileLabel the SELinux label of the container's files; empty for none
     */
    DeclaredVolumes(
            LinuxFiles files,
            SpecRequest request,
            RootDirectory root,
            ResolvedUser user,
            String fileLabel) {
        this.files = files;
        this.request = request;
        this.root = root;
        this.user = user;
        this.fileLabel = fileLabel;
    }

    /**
     * @param isCovered whether the request has a mount at this place or around it
     * @return the mounts that this takes
     */
    List<RuntimeSpec.Mount> prepare(ImageVolumes mode, Predicate<String> isCovered) {
        List<RuntimeSpec.Mount> mounts = new ArrayList<>();
        for (String volume : new TreeSet<>(request.image().volumes())) {
            String place = Path.of("/").resolve(volume).normalize().toString();
            if (place.equals("/") || isCovered.test(place)) {
                continue;
            }
            switch (mode) {
                case IGNORE -> {}
                case MKDIR -> root.makeDirectories(place, PURPOSE, hostUid(), hostGid());
                case BIND -> mounts.add(outside(place, mounts.size()));
            }
        }
        return mounts;
    }

    private RuntimeSpec.Mount outside(String place, int number) {
        Path directory = request.anonymousVolumes().resolve(Integer.toString(number));
        try {
            Files.createDirectories(directory);
            Optional<FileStatus> asInImage =
                    root.status(Path.of("/").relativize(Path.of(place)).toString())
                            .filter(FileStatus::isDirectory);
            int mode = asInImage.map(status -> status.mode() & 07777).orElse(NEW_MODE);
            files.changeOwner(
                    directory,
                    asInImage.map(FileStatus::uid).orElse(hostUid()),
                    asInImage.map(FileStatus::gid).orElse(hostGid()));
            try (var opened = files.open(directory, EnumSet.of(LinuxFiles.OpenFlag.DIRECTORY), 0)) {
                files.changeMode(opened, mode);
            }
            // What is around it is labelled as the store: for all to read, for none to write.
            Relabelling.label(files, directory, fileLabel);
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL,
                    "cannot make " + directory + " for " + PURPOSE + " " + place + ": " + e,
                    e);
        }
        return RuntimeSpec.Mount.bind(
                place, directory.toString(), List.of("bind", "rprivate", "rw"));
    }

    private int hostUid() {
        return request.sandbox()
                .users()
                .map(all -> all.hostUid(user.uid()))
                .orElse((int) user.uid());
    }

    private int hostGid() {
        return request.sandbox()
                .users()
                .map(all -> all.hostGid(user.gid()))
                .orElse((int) user.gid());
    }
}
