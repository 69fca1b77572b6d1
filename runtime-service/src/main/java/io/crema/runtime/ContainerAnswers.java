package io.crema.runtime;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.cri.v1.ContainerFilter;
import io.crema.cri.v1.ContainerStatus;
import io.crema.cri.v1.ContainerStatusRequest;
import io.crema.cri.v1.ContainerStatusResponse;
import io.crema.cri.v1.ListContainersRequest;
import io.crema.cri.v1.ListContainersResponse;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerRecord;
import io.crema.runtime.state.ContainerState;
import io.crema.runtime.state.Inventory;
import io.crema.runtime.state.PodException;
import io.crema.runtime.state.ProcessIdentity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;

/** ListContainers and ContainerStatus: answers from snapshots, without waiting for any lock. */
final class ContainerAnswers {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final NodeServices node;
    private final Inventory inventory;

    ContainerAnswers(NodeServices node, Inventory inventory) {
        this.node = node;
        this.inventory = inventory;
    }

    ListContainersResponse list(ListContainersRequest request) {
        ContainerFilter filter = request.getFilter();
        if (filter.getState().getState() == io.crema.cri.v1.ContainerState.UNRECOGNIZED) {
            throw PodException.invalid(
                    "filter.state: unknown state number " + filter.getState().getStateValue());
        }
        ListContainersResponse.Builder answer = ListContainersResponse.newBuilder();
        for (Container container : inventory.containers()) {
            io.crema.cri.v1.ContainerState state = wireState(container.record());
            if (container.id().value().startsWith(filter.getId())
                    && container.sandbox().value().startsWith(filter.getPodSandboxId())
                    && (!filter.hasState() || filter.getState().getState() == state)
                    && Labels.match(
                            filter.getLabelSelectorMap(), container.config().getLabelsMap())) {
                answer.addContainers(item(container, state));
            }
        }
        return answer.build();
    }

    private static io.crema.cri.v1.Container item(
            Container container, io.crema.cri.v1.ContainerState state) {
        ContainerStatus effective = container.effective();
        return io.crema.cri.v1.Container.newBuilder()
                .setId(container.id().value())
                .setPodSandboxId(container.sandbox().value())
                .setMetadata(container.config().getMetadata())
                .setImage(container.config().getImage())
                .setImageRef(effective.getImageRef())
                .setImageId(effective.getImageId())
                .setState(state)
                .setCreatedAt(container.record().createdAtNanos())
                .putAllLabels(container.config().getLabelsMap())
                .putAllAnnotations(container.config().getAnnotationsMap())
                .build();
    }

    ContainerStatusResponse status(ContainerStatusRequest request) {
        Container container = inventory.container(request.getContainerId());
        ContainerStatusResponse.Builder answer =
                ContainerStatusResponse.newBuilder().setStatus(status(container));
        if (request.getVerbose()) {
            answer.putInfo("info", verbose(container));
        }
        return answer.build();
    }

    static ContainerStatus status(Container container) {
        ContainerRecord record = container.record();
        ContainerStatus.Builder status =
                container.effective().toBuilder()
                        .setId(record.id().value())
                        .setMetadata(container.config().getMetadata())
                        // From the same record as all else: the container may be ending now.
                        .setState(wireState(record))
                        .setCreatedAt(record.createdAtNanos())
                        .putAllLabels(container.config().getLabelsMap())
                        .putAllAnnotations(container.config().getAnnotationsMap())
                        .setLogPath(record.logPath());
        return switch (record.state()) {
            case ContainerState.Created created -> status.build();
            case ContainerState.Running running ->
                    status.setStartedAt(running.startedAtNanos()).build();
            case ContainerState.Exited exited ->
                    status.setStartedAt(exited.startedAtNanos())
                            .setFinishedAt(exited.finishedAtNanos())
                            .setExitCode(exited.exitCode())
                            .setReason(exited.reason())
                            .setMessage(exited.message())
                            .build();
        };
    }

    private static io.crema.cri.v1.ContainerState wireState(ContainerRecord record) {
        return switch (record.state()) {
            case ContainerState.Created created -> io.crema.cri.v1.ContainerState.CONTAINER_CREATED;
            case ContainerState.Running running -> io.crema.cri.v1.ContainerState.CONTAINER_RUNNING;
            case ContainerState.Exited exited -> io.crema.cri.v1.ContainerState.CONTAINER_EXITED;
        };
    }

    /** Of a container that was made from a checkpoint. */
    private void addCheckpoint(ContainerRecord record, ObjectNode info) {
        Path config = node.layout().restore(record.id()).resolve(CheckpointFiles.CONFIG);
        boolean isRestored = Files.isRegularFile(config, LinkOption.NOFOLLOW_LINKS);
        info.put("restored", isRestored);
        if (isRestored) {
            try {
                if (Files.size(config) > Checkpoint.MOST_CONFIG_BYTES) {
                    throw new IOException("it is too large");
                }
                info.put(
                        "checkpointedAt",
                        JSON.readTree(Files.readAllBytes(config))
                                .path("checkpointedTime")
                                .asText());
            } catch (IOException e) {
                info.put("checkpointedAt", "cannot read " + config + ": " + e);
            }
        }
    }

    private String verbose(Container container) {
        ContainerRecord record = container.record();
        ProcessIdentity process = record.process();
        ObjectNode info = JSON.createObjectNode();
        info.put("sandboxID", record.sandbox().value());
        info.put("pid", process == null || !record.state().isAlive() ? 0 : process.pid());
        info.put("privileged", container.config().getLinux().getSecurityContext().getPrivileged());
        addCheckpoint(record, info);
        Path config = node.layout().bundle(record.id()).resolve("config.json");
        try {
            JsonNode spec = JSON.readTree(Files.readAllBytes(config));
            info.set("runtimeSpec", spec);
        } catch (IOException e) {
            info.put("runtimeSpecError", "cannot read " + config + ": " + e);
        }
        try {
            return JSON.writeValueAsString(info);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }
}
