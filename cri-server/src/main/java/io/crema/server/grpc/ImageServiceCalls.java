package io.crema.server.grpc;

import io.crema.cri.v1.ImageFsInfoRequest;
import io.crema.cri.v1.ImageFsInfoResponse;
import io.crema.cri.v1.ImageServiceGrpc;
import io.crema.cri.v1.ImageStatusRequest;
import io.crema.cri.v1.ImageStatusResponse;
import io.crema.cri.v1.ListImagesRequest;
import io.crema.cri.v1.ListImagesResponse;
import io.crema.cri.v1.PullImageRequest;
import io.crema.cri.v1.PullImageResponse;
import io.crema.cri.v1.RemoveImageRequest;
import io.crema.cri.v1.RemoveImageResponse;
import io.crema.cri.v1.StreamImagesRequest;
import io.crema.cri.v1.StreamImagesResponse;
import io.crema.server.image.ImageFsInfo;
import io.crema.server.image.ImageStatus;
import io.crema.server.image.ListImages;
import io.crema.server.image.PullImage;
import io.crema.server.image.RemoveImage;
import io.grpc.stub.StreamObserver;

/** ImageService on the wire: each call goes to the class with its name. */
public final class ImageServiceCalls extends ImageServiceGrpc.ImageServiceImplBase {
    private final ListImages listImages;
    private final ImageStatus imageStatus;
    private final PullImage pullImage;
    private final RemoveImage removeImage;
    private final ImageFsInfo imageFsInfo;

    public ImageServiceCalls(
            ListImages listImages,
            ImageStatus imageStatus,
            PullImage pullImage,
            RemoveImage removeImage,
            ImageFsInfo imageFsInfo) {
        this.listImages = listImages;
        this.imageStatus = imageStatus;
        this.pullImage = pullImage;
        this.removeImage = removeImage;
        this.imageFsInfo = imageFsInfo;
    }

    @Override
    public void listImages(ListImagesRequest request, StreamObserver<ListImagesResponse> observer) {
        answer(observer, listImages.answer(request));
    }

    @Override
    public void imageStatus(
            ImageStatusRequest request, StreamObserver<ImageStatusResponse> observer) {
        answer(observer, imageStatus.answer(request));
    }

    @Override
    public void pullImage(PullImageRequest request, StreamObserver<PullImageResponse> observer) {
        answer(observer, pullImage.answer(request, CallGuard.deadline()));
    }

    @Override
    public void removeImage(
            RemoveImageRequest request, StreamObserver<RemoveImageResponse> observer) {
        answer(observer, removeImage.answer(request));
    }

    @Override
    public void imageFsInfo(
            ImageFsInfoRequest request, StreamObserver<ImageFsInfoResponse> observer) {
        answer(observer, imageFsInfo.answer());
    }

    @Override
    public void streamImages(
            StreamImagesRequest request, StreamObserver<StreamImagesResponse> observer) {
        ListImagesRequest all =
                ListImagesRequest.newBuilder().setFilter(request.getFilter()).build();
        PacedStream.send(
                observer,
                new Pieces<>(
                        listImages.answer(all).getImagesList(),
                        piece -> StreamImagesResponse.newBuilder().addAllImages(piece).build()));
    }

    private static <A> void answer(StreamObserver<A> observer, A answer) {
        observer.onNext(answer);
        observer.onCompleted();
    }
}
