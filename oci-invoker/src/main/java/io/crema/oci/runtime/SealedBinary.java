package io.crema.oci.runtime;

import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A copy of an OCI runtime in memory that no container can change. Each runtime protects its binary
 * from the containers it enters (CVE-2019-5736) by making such a copy, or a read-only mount in the
 * node's mount table, at every create and exec, unless it finds that it runs from one already. One
 * copy for all calls saves a sixth of an exec, for as much memory as the binary has.
 */
final class SealedBinary {
    private static final Logger LOG = LoggerFactory.getLogger(SealedBinary.class);
    private static final int ELF = 0x7f454c46;
    // Processes change their SELinux domain by the label of the file that they execute.
    private static final Path SELINUX = Path.of("/sys/fs/selinux/enforce");

    private record Copy(FileStatus of, Optional<Descriptor> descriptor) {}

    private final Linux linux;
    private final Path executable;
    // Both guarded by this; the one before may still be about to be executed.
    private @Nullable Copy copy;
    private @Nullable Copy before;

    SealedBinary(Linux linux, Path executable) {
        this.linux = linux;
        this.executable = executable;
    }

    /** The copy of what is installed now, or the binary itself where it cannot be copied. */
    synchronized Path path() {
        Optional<FileStatus> status = linux.status(executable, true);
        if (status.isEmpty()) {
            return executable;
        }
        Copy current = copy;
        if (current == null || !isSame(current.of, status.get())) {
            Copy old = before;
            if (old != null) {
                old.descriptor.ifPresent(Descriptor::close);
            }
            before = current;
            current = new Copy(status.get(), sealed());
            copy = current;
        }
        return current.descriptor
                .map(open ->
                        Path.of("/proc/" + ProcessHandle.current().pid() + "/fd/" + open.number()))
                .orElse(executable);
    }

    private static boolean isSame(FileStatus one, FileStatus other) {
        return one.inode() == other.inode()
                && one.device() == other.device()
                && one.size() == other.size()
                && one.modifiedSeconds() == other.modifiedSeconds()
                && one.modifiedNanos() == other.modifiedNanos();
    }

    private Optional<Descriptor> sealed() {
        try {
            // A script finds its own place by its name.
            return isElf() && !Files.exists(SELINUX)
                    ? Optional.of(linux.sealedCopy(executable))
                    : Optional.empty();
        } catch (LinuxException e) {
            LOG.debug("{} is executed in its place: {}", executable, e.toString());
            return Optional.empty();
        }
    }

    private boolean isElf() {
        try (Descriptor file = linux.open(executable, Set.of(OpenFlag.READ_ONLY), 0)) {
            ByteBuffer magic = ByteBuffer.allocateDirect(Integer.BYTES);
            return linux.read(file, magic) == Integer.BYTES && magic.flip().getInt() == ELF;
        }
    }
}
