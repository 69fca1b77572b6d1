package io.crema.server;

import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.base.ImageId;
import io.crema.conf.SignaturePolicy;
import io.crema.image.Image;
import io.crema.image.ImageException;
import io.crema.image.Images;
import io.crema.image.PullProgress;
import io.crema.image.PullTotals;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Images behind the signature policy: a rejected reference is not pulled. */
final class PolicedImages implements Images {
    private final Images images;
    private final SignaturePolicy policy;

    PolicedImages(Images images, SignaturePolicy policy) {
        this.images = images;
        this.policy = policy;
    }

    @Override
    public Image pull(String reference, Credentials credentials, Deadline deadline) {
        if (policy.ofRegistryImage(reference) == SignaturePolicy.Decision.REJECT) {
            throw new ImageException(
                    ErrorKind.CRI_REASON,
                    "SignatureValidationFailed: policy.json rejects "
                            + reference
                            + "; ask the administrator of this node to allow its scope");
        }
        return images.pull(reference, credentials, deadline);
    }

    @Override
    public List<Image> list() {
        return images.list();
    }

    @Override
    public Optional<Image> find(String reference) {
        return images.find(reference);
    }

    @Override
    public List<PullProgress> pulls() {
        return images.pulls();
    }

    @Override
    public PullTotals pullTotals() {
        return images.pullTotals();
    }

    @Override
    public List<Image> load(Path archive) {
        return images.load(archive);
    }

    @Override
    public void remove(String reference) {
        images.remove(reference);
    }

    @Override
    public void use(ImageId image, String user) {
        images.use(image, user);
    }

    @Override
    public void useAlso(ImageId image, String user) {
        images.useAlso(image, user);
    }

    @Override
    public void release(String user) {
        images.release(user);
    }

    @Override
    public void mountRootFileSystem(
            Image image, Path upper, Path work, Path target, String mountLabel) {
        images.mountRootFileSystem(image, upper, work, target, mountLabel);
    }

    @Override
    public void mountReadOnly(Image image, Path target, String mountLabel) {
        images.mountReadOnly(image, target, mountLabel);
    }

    @Override
    public Usage imageUsage() {
        return images.imageUsage();
    }

    @Override
    public Usage usage(Path directory) {
        return images.usage(directory);
    }

    @Override
    public void close() {
        images.close();
    }
}
