package io.crema.server.image;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.ErrorKind;
import io.crema.cri.v1.ImageStatusRequest;
import io.crema.cri.v1.ImageStatusResponse;
import io.crema.image.Image;
import io.crema.image.ImageConfiguration;
import io.crema.image.ImageException;
import io.crema.image.Images;
import java.util.List;

/** ImageStatus: an absent image is no error but an answer without one. */
public final class ImageStatus {
    private final Images images;
    private final ObjectMapper json;

    public ImageStatus(Images images, ObjectMapper json) {
        this.images = images;
        this.json = json;
    }

    public ImageStatusResponse answer(ImageStatusRequest request) {
        String name = ImageName.required("ImageStatus", request.getImage());
        ImageStatusResponse.Builder answer = ImageStatusResponse.newBuilder();
        images.find(name)
                .ifPresent(image -> {
                    answer.setImage(ImageMessages.message(image));
                    if (request.getVerbose()) {
                        answer.putInfo("info", info(image));
                    }
                });
        return answer.build();
    }

    /** The keys that crictl shows: the labels and the configuration in image-spec's words. */
    private String info(Image image) {
        ImageConfiguration configuration = image.configuration();
        ObjectNode info = JsonNodeFactory.instance.objectNode();
        ObjectNode labels = info.putObject("labels");
        configuration.labels().forEach(labels::put);
        ObjectNode spec = info.putObject("imageSpec");
        spec.put("created", image.createdAt().toString());
        spec.put("architecture", configuration.architecture());
        spec.put("os", configuration.os());
        ObjectNode config = spec.putObject("config");
        config.put("User", configuration.user());
        addAll(config.putArray("Env"), configuration.environment());
        addAll(config.putArray("Entrypoint"), configuration.entrypoint());
        addAll(config.putArray("Cmd"), configuration.command());
        config.put("WorkingDir", configuration.workingDirectory());
        config.put("StopSignal", configuration.stopSignal());
        ObjectNode volumes = config.putObject("Volumes");
        configuration.volumes().stream().sorted().forEach(volumes::putObject);
        ObjectNode configLabels = config.putObject("Labels");
        configuration.labels().forEach(configLabels::put);
        info.put("manifestDigest", image.manifestDigest().toString());
        try {
            return json.writeValueAsString(info);
        } catch (JsonProcessingException e) {
            throw new ImageException(
                    ErrorKind.INTERNAL, "cannot write the status of image " + image.id(), e);
        }
    }

    private static void addAll(ArrayNode array, List<String> texts) {
        for (String text : texts) {
            array.add(text);
        }
    }
}
