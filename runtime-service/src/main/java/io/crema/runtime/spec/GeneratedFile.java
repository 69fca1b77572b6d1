package io.crema.runtime.spec;

import java.nio.file.Path;

/**
 * A file that a specification mounts, to be written before the container is created.
 *
 * @param path in the bundle
 */
public record GeneratedFile(Path path, byte[] content) {}
