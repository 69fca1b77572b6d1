package io.crema.server.grpc;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import io.crema.cri.v1.CreateContainerRequest;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.ImageStatusRequest;
import io.crema.cri.v1.PodSandboxMetadata;
import io.crema.cri.v1.PullImageRequest;
import io.crema.cri.v1.PullImageResponse;
import io.crema.cri.v1.RemoveImageRequest;
import io.crema.cri.v1.RunPodSandboxRequest;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.event.KeyValuePair;
import org.slf4j.event.Level;
import org.slf4j.spi.LoggingEventBuilder;

/**
 * The words of one line of the request log, in order: what the call was about, told by the few
 * fields of its request and answer that an operator searches for, and how it went.
 */
final class RequestWords {
    private final List<KeyValuePair> words = new ArrayList<>();
    private @Nullable Throwable cause;

    void add(String key, Object value) {
        words.add(new KeyValuePair(key, value));
    }

    void cause(Throwable thrown) {
        cause = thrown;
    }

    /** Adds what identifies the object of a request or an answer. */
    void addMessage(@Nullable Object message) {
        switch (message) {
            case RunPodSandboxRequest request -> addPod(request.getConfig().getMetadata());
            case CreateContainerRequest request -> {
                addPod(request.getSandboxConfig().getMetadata());
                add("sandbox", request.getPodSandboxId());
                add("name", request.getConfig().getMetadata().getName());
            }
            case PullImageRequest request -> addImage(request.getImage());
            case ImageStatusRequest request -> addImage(request.getImage());
            case RemoveImageRequest request -> addImage(request.getImage());
            case PullImageResponse response -> add("id", response.getImageRef());
            case Message other -> {
                addText(other, "pod_sandbox_id", "sandbox");
                addText(other, "container_id", "container");
            }
            case null, default -> {}
        }
    }

    void log(Logger logger, Level level, String text) {
        LoggingEventBuilder line = logger.atLevel(level);
        for (KeyValuePair word : words) {
            line = line.addKeyValue(word.key, word.value);
        }
        line.setCause(cause).log(text);
    }

    private void addPod(PodSandboxMetadata metadata) {
        add("pod", metadata.getNamespace() + "/" + metadata.getName());
    }

    private void addImage(ImageSpec image) {
        add("image", image.getImage());
    }

    private void addText(Message message, String field, String key) {
        FieldDescriptor descriptor = message.getDescriptorForType().findFieldByName(field);
        if (descriptor != null && !descriptor.isRepeated()) {
            add(key, message.getField(descriptor));
        }
    }
}
