package io.crema.server.image;

import io.crema.cri.v1.FilesystemIdentifier;
import io.crema.cri.v1.FilesystemUsage;
import io.crema.cri.v1.ImageFsInfoResponse;
import io.crema.cri.v1.UInt64Value;
import io.crema.image.Images;
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

    private record Measured(Instant at, Images.Usage images, Images.Usage containers) {}

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
        Measured measured = measured();
        return ImageFsInfoResponse.newBuilder()
                .addImageFilesystems(message(measured.at, measured.images))
                .addContainerFilesystems(message(measured.at, measured.containers))
                .build();
    }

    private synchronized Measured measured() {
        Instant now = clock.instant();
        Measured known = last;
        if (known == null || known.at.plus(MAX_AGE).isBefore(now)) {
            known = new Measured(now, images.imageUsage(), images.usage(containers));
            last = known;
        }
        return known;
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
