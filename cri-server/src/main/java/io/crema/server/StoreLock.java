package io.crema.server;

import io.crema.base.ErrorKind;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import io.crema.server.base.ServerException;
import java.nio.file.Path;
import java.util.EnumSet;

/** Lets one daemon at a time use a root directory. */
final class StoreLock implements AutoCloseable {
    private final Descriptor descriptor;

    private StoreLock(Descriptor descriptor) {
        this.descriptor = descriptor;
    }

    /**
     * @throws ServerException FAILED_PRECONDITION when another daemon holds it
     */
    static StoreLock take(Linux linux, Path root) {
        Path file = root.resolve("lock");
        Descriptor descriptor =
                linux.open(file, EnumSet.of(OpenFlag.READ_WRITE, OpenFlag.CREATE), 0600);
        if (!linux.tryLock(descriptor, true)) {
            descriptor.close();
            throw new ServerException(
                    ErrorKind.FAILED_PRECONDITION,
                    "another crema daemon uses "
                            + root
                            + " (it holds "
                            + file
                            + "); stop it, or give this one a --root of its own",
                    null);
        }
        return new StoreLock(descriptor);
    }

    @Override
    public void close() {
        descriptor.close();
    }
}
