package io.crema.runtime.spec;

import io.crema.image.ImageConfiguration;
import java.nio.file.Path;
import java.util.List;

/** What runs as PID 1 of a pod that shares its PID namespace. */
public sealed interface InitProgram {
    /**
     * A static binary of this node that reaps, bound into an empty root file system.
     *
     * @param binary catatonit
     */
    record StaticBinary(Path binary) implements InitProgram {}

    /**
     * An image, mounted as the root file system.
     *
     * @param command empty for the image's own
     */
    record PauseImage(ImageConfiguration image, String name, List<String> command)
            implements InitProgram {
        public PauseImage {
            command = List.copyOf(command);
        }
    }
}
