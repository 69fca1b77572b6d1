package io.crema.server;

import io.crema.base.ErrorKind;
import io.crema.conf.CremaConfiguration;
import io.crema.conf.SignaturePolicy;
import io.crema.image.Image;
import io.crema.image.Images;
import io.crema.image.registry.HttpRegistryClient;
import io.crema.image.store.ImageStore;
import io.crema.image.trust.ImageTrust;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.server.base.ServerException;
import io.crema.server.check.NodeCheck;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/** Puts the images of an archive into the store, inside the daemon or while none runs. */
final class ArchiveLoading {
    private ArchiveLoading() {}

    /**
     * @return a line for each image: its id and names
     */
    static String load(Images images, Path archive) {
        StringBuilder text = new StringBuilder();
        for (Image image : images.load(archive)) {
            text.append("loaded ").append(image.id());
            for (String name : image.repoTags()) {
                text.append(' ').append(name);
            }
            text.append('\n');
        }
        return text.toString();
    }

    /**
     * Writes to the store itself. The lock of the root directory makes sure that no daemon does at
     * the same time.
     *
     * @throws ServerException when this is not root, or a daemon uses the root directory
     */
    static String loadWithoutDaemon(CremaConfiguration configuration, Path archive) {
        if (!NodeCheck.isRoot()) {
            throw new ServerException(
                    ErrorKind.PERMISSION_DENIED,
                    "no daemon answers on "
                            + configuration.api().listen()
                            + ", and only root can load images without one");
        }
        SignaturePolicy policy = SignaturePolicy.read(configuration.image());
        Path root = configuration.storage().root();
        try {
            Files.createDirectories(root);
        } catch (IOException e) {
            throw new ServerException(
                    ErrorKind.INTERNAL, "cannot make the directory " + root + ": " + e, e);
        }
        Linux linux = JnaLinux.load();
        try (StoreLock _ = StoreLock.take(linux, root);
                Images images = open(configuration, policy, linux)) {
            return load(images, archive);
        }
    }

    private static Images open(
            CremaConfiguration configuration, SignaturePolicy policy, Linux linux) {
        return new ImageStore(
                Daemon.storeOptions(configuration, new ImageTrust(policy)),
                linux,
                HttpRegistryClient.create(
                        configuration.image(),
                        Map.of(),
                        Optional.empty(),
                        HttpRegistryClient.KnownManifests.none()));
    }
}
