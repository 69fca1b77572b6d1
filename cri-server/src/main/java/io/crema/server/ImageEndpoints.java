package io.crema.server;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.image.Image;
import io.crema.image.Images;
import io.crema.server.base.ServerException;
import io.crema.server.base.ServerJson;
import io.crema.server.http.HttpAnswer;
import io.crema.server.http.HttpQuestion;
import io.crema.server.http.HttpRoutes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** What the socket's HTTP side does with images, for crema's own commands. */
final class ImageEndpoints {
    /** Stalled pulls end by pull_progress_timeout; this ends what stalls in no way we know. */
    private static final Duration PULL_LIMIT = Duration.ofHours(12);

    private static final long MAX_AUTH_FILE_BYTES = 1 << 20;

    private final Images images;

    ImageEndpoints(Images images) {
        this.images = images;
    }

    void addTo(HttpRoutes routes) {
        routes.add("GET", "/crema/images", question -> list())
                .add("POST", "/crema/pull", this::pull)
                .add("POST", "/crema/rmi", this::remove)
                .add("POST", "/crema/save", this::save);
    }

    private HttpAnswer list() {
        ObjectNode answer = JsonNodeFactory.instance.objectNode();
        ArrayNode list = answer.putArray("images");
        for (Image image : images.list()) {
            ObjectNode node = list.addObject();
            node.put("id", image.id().value());
            image.repoTags().forEach(node.putArray("repo_tags")::add);
            image.repoDigests().forEach(node.putArray("repo_digests")::add);
            node.put("size_bytes", image.sizeBytes());
            node.put("pinned", image.pinned());
            node.put("created_at", image.createdAt().toString());
            image.artifactType().ifPresent(type -> node.put("artifact_type", type));
        }
        return HttpAnswer.json(ServerJson.write(answer));
    }

    private HttpAnswer pull(HttpQuestion question) {
        String credentials = question.parameter("credentials").orElse("");
        int colon = credentials.indexOf(':');
        Images.Credentials login =
                colon < 0
                        ? Images.Credentials.none()
                        : new Images.Credentials(
                                credentials.substring(0, colon),
                                credentials.substring(colon + 1),
                                "",
                                "",
                                "",
                                "");
        Optional<String> file = question.parameter("authfile");
        if (file.isPresent()) {
            login = login.withAuthFile(file.get(), authFile(Path.of(file.get())));
        }
        Image image = images.pull(required(question, "image"), login, Deadline.after(PULL_LIMIT));
        return HttpAnswer.text(200, image.id().value());
    }

    private static String authFile(Path file) {
        try {
            if (file.isAbsolute() && Files.size(file) <= MAX_AUTH_FILE_BYTES) {
                return Files.readString(file);
            }
        } catch (IOException e) {
            throw new ServerException(
                    ErrorKind.INVALID_ARGUMENT,
                    "credentials file " + file + " cannot be read by the daemon: " + e,
                    e);
        }
        throw new ServerException(
                ErrorKind.INVALID_ARGUMENT,
                "credentials file "
                        + file
                        + " must be an absolute path and have at most "
                        + MAX_AUTH_FILE_BYTES
                        + " bytes");
    }

    private HttpAnswer remove(HttpQuestion question) {
        String name = required(question, "image");
        Image image =
                images.find(name)
                        .orElseThrow(() ->
                                new ServerException(
                                        ErrorKind.NOT_FOUND,
                                        "image " + name + " is not on this node"));
        images.remove(name);
        return HttpAnswer.text(
                200,
                images.find(image.id().value()).isPresent()
                        ? "untagged " + name
                        : "removed " + image.id());
    }

    private HttpAnswer save(HttpQuestion question) {
        Path target = Path.of(required(question, "path"));
        if (!target.isAbsolute()) {
            throw new ServerException(
                    ErrorKind.INVALID_ARGUMENT, "path must be absolute, not " + target);
        }
        boolean asDirectory =
                switch (question.parameter("format").orElse("oci-archive")) {
                    case "oci-archive" -> false;
                    case "oci" -> true;
                    default ->
                            throw new ServerException(
                                    ErrorKind.INVALID_ARGUMENT,
                                    "format is oci-archive or oci (a directory)");
                };
        List<String> names = question.parameters().getOrDefault("image", List.of());
        if (names.isEmpty()) {
            throw new ServerException(ErrorKind.INVALID_ARGUMENT, "name the image: ?image=…");
        }
        images.save(names, target, asDirectory);
        return HttpAnswer.text(200, "saved " + target);
    }

    private static String required(HttpQuestion question, String name) {
        return question.parameter(name)
                .filter(value -> !value.isBlank())
                .orElseThrow(() ->
                        new ServerException(
                                ErrorKind.INVALID_ARGUMENT,
                                "the parameter " + name + " is missing"));
    }
}
