package io.crema.server.image;

import io.crema.cri.v1.FilesystemIdentifier;
import io.crema.cri.v1.FilesystemUsage;
import io.crema.cri.v1.ImageFsInfoResponse;
import io.crema.cri.v1.UInt64Value;
import io.crema.image.Images;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/**
 * ImageFsInfo: the disk space of images and of containers' own layers. Kubelet does not start
 * without an answer and asks again every few seconds, so sizes are measured at most every ten
 * seconds; each answer says when.
 */
public final class ImageFsInfo {
    private static final Duration MAX_AGE = Duration.ofSeconds(10);

    private record Measured(Instant at, Images.Usage containers) {}

    private final Images images;
    private final Path containers;
    private final Clock clock;
    private @Nullable Measured last;

    /**
     * @param containers the directory that holds all containers' writable layers
     */
    public ImageFsInfo(Images images, Path containers, Clock clock) {
        this.images = images;
        this.containers = containers;
        this.clock = clock;
    }

    public ImageFsInfoResponse answer() {
        // Images are counted as they come and go; only the containers' files must be walked.
        Images.Usage ofImages = images.imageUsage();
        Measured measured = measured(ofImages);
        return ImageFsInfoResponse.newBuilder()
                .addImageFilesystems(message(clock.instant(), ofImages))
                .addContainerFilesystems(message(measured.at, measured.containers))
                .build();
    }

    private synchronized Measured measured(Images.Usage ofImages) {
        Instant now = clock.instant();
        Measured known = last;
        if (known == null || known.at.plus(MAX_AGE).isBefore(now)) {
            known = new Measured(now, ofContainers(ofImages));
            last = known;
        }
        return known;
    }

    /**
     * Kubelet takes different mount points for different disks (KEP-4191), so containers on the
     * images' file system are given its mount point.
     */
    private Images.Usage ofContainers(Images.Usage ofImages) {
        Images.Usage usage = images.usage(containers);
        return isSameFileSystem(usage.mountPoint(), ofImages.mountPoint())
                ? new Images.Usage(ofImages.mountPoint(), usage.usedBytes(), usage.inodesUsed())
                : usage;
    }

    private static boolean isSameFileSystem(Path one, Path other) {
        try {
            return Files.getAttribute(one, "unix:dev")
                    .equals(Files.getAttribute(other, "unix:dev"));
        } catch (IOException e) {
            return false;
        }
    }

    private static FilesystemUsage message(Instant at, Images.Usage usage) {
        return FilesystemUsage.newBuilder()
                .setTimestamp(Math.addExact(at.getEpochSecond() * 1_000_000_000L, at.getNano()))
                .setFsId(
                        FilesystemIdentifier.newBuilder()
                                .setMountpoint(usage.mountPoint().toString()))
                .setUsedBytes(UInt64Value.newBuilder().setValue(usage.usedBytes()))
                .setInodesUsed(UInt64Value.newBuilder().setValue(usage.inodesUsed()))
                .build();
    }
}
