package io.crema.server.image;

import io.crema.base.Deadline;
import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.base.ImageId;
import io.crema.image.Image;
import io.crema.image.ImageConfiguration;
import io.crema.image.ImageException;
import io.crema.image.Images;
import java.lang.reflect.Proxy;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** An image store in memory: what ImageService calls need of {@link Images}, and no more. */
final class FakeImages {
    private final List<Image> images = new ArrayList<>();
    final List<String> removed = new ArrayList<>();
    final List<Images.Credentials> credentials = new ArrayList<>();
    Path usageMountPoint = Path.of("/");

    static final ImageId ID = new ImageId("ab".repeat(32));

    static Image image(ImageId id, String user, List<String> tags, List<String> digests) {
        return new Image(
                id,
                tags,
                digests,
                Digest.sha256("cd".repeat(32)),
                1234,
                false,
                Instant.parse("2026-01-02T03:04:05Z"),
                new ImageConfiguration(
                        "amd64",
                        "linux",
                        user,
                        List.of("A=b"),
                        List.of("/entry"),
                        List.of("run"),
                        "/work",
                        "SIGINT",
                        Set.of("/data"),
                        Map.of("made-by", "us")),
                List.of());
    }

    FakeImages add(Image image) {
        images.add(image);
        return this;
    }

    Images images() {
        return (Images)
                Proxy.newProxyInstance(
                        Images.class.getClassLoader(),
                        new Class<?>[] {Images.class},
                        (proxy, method, arguments) ->
                                switch (method.getName()) {
                                    case "list" -> List.copyOf(images);
                                    case "find" -> find(text(arguments));
                                    case "pull" -> pull(text(arguments), arguments);
                                    case "remove" -> {
                                        removed.add(text(arguments));
                                        yield null;
                                    }
                                    case "imageUsage" -> new Images.Usage(usageMountPoint, 10, 1);
                                    case "usage" -> new Images.Usage(Path.of("/proc"), 20, 2);
                                    default -> throw new IllegalStateException(method.getName());
                                });
    }

    private static String text(Object[] arguments) {
        return String.valueOf(arguments[0]);
    }

    private Image pull(String reference, Object[] arguments) {
        credentials.add((Images.Credentials) arguments[1]);
        ((Deadline) arguments[3]).check("the registry");
        return find(reference)
                .orElseThrow(() ->
                        new ImageException(
                                ErrorKind.CRI_REASON,
                                "RegistryUnavailable: nobody serves " + reference));
    }

    private Optional<Image> find(String reference) {
        return images.stream()
                .filter(image ->
                        image.id().value().startsWith(reference)
                                || image.repoTags().contains(reference)
                                || image.repoDigests().contains(reference))
                .findFirst();
    }
}
