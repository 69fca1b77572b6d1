package io.crema.e2e.node;

import io.crema.cri.v1.AuthConfig;
import io.crema.cri.v1.FilesystemUsage;
import io.crema.cri.v1.Image;
import io.crema.cri.v1.ImageFilter;
import io.crema.cri.v1.ImageFsInfoRequest;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.ImageStatusRequest;
import io.crema.cri.v1.ImageStatusResponse;
import io.crema.cri.v1.ListImagesRequest;
import io.crema.cri.v1.PullImageRequest;
import io.crema.cri.v1.RemoveImageRequest;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** The images of a test node, by the calls that kubelet makes. */
public record TestImages(TestNode node) {
    /** Pulls without credentials and gives the image's id. */
    public String pull(String reference) {
        return pull(reference, AuthConfig.getDefaultInstance());
    }

    public String pull(String reference, AuthConfig credentials) {
        PullImageRequest.Builder request = PullImageRequest.newBuilder().setImage(spec(reference));
        if (!credentials.equals(AuthConfig.getDefaultInstance())) {
            request.setAuth(credentials);
        }
        return node.client().images().pullImage(request.build()).getImageRef();
    }

    /** Pulls with a deadline. */
    public String pull(String reference, Duration deadline) {
        return node.client()
                .images()
                .withDeadlineAfter(deadline.toNanos(), TimeUnit.NANOSECONDS)
                .pullImage(PullImageRequest.newBuilder().setImage(spec(reference)).build())
                .getImageRef();
    }

    public Optional<Image> find(String reference) {
        ImageStatusResponse response =
                node.client()
                        .images()
                        .imageStatus(
                                ImageStatusRequest.newBuilder().setImage(spec(reference)).build());
        return response.hasImage() ? Optional.of(response.getImage()) : Optional.empty();
    }

    public List<Image> list() {
        return node.client()
                .images()
                .listImages(ListImagesRequest.getDefaultInstance())
                .getImagesList();
    }

    public List<Image> list(String reference) {
        return node.client()
                .images()
                .listImages(
                        ListImagesRequest.newBuilder()
                                .setFilter(ImageFilter.newBuilder().setImage(spec(reference)))
                                .build())
                .getImagesList();
    }

    public void remove(String reference) {
        node.client()
                .images()
                .removeImage(RemoveImageRequest.newBuilder().setImage(spec(reference)).build());
    }

    /** Removes all but what each node has from its start. */
    public void removePulled() {
        for (Image image : list()) {
            if (image.getRepoTagsList().stream().noneMatch(tag -> tag.startsWith("localhost/"))) {
                remove(image.getId());
            }
        }
    }

    public FilesystemUsage fileSystem() {
        return node.client()
                .images()
                .imageFsInfo(ImageFsInfoRequest.getDefaultInstance())
                .getImageFilesystems(0);
    }

    private static ImageSpec spec(String reference) {
        return ImageSpec.newBuilder().setImage(reference).build();
    }
}
