package io.crema.runtime.spec;

import io.crema.base.ImageId;
import java.nio.file.Path;

/**
 * An image that one mount of a request shows to its container.
 *
 * @param mount the mount's place in the request
 * @param directory where the image's layers are mounted, read-only
 */
public record ImageVolume(int mount, ImageId image, Path directory) {}
