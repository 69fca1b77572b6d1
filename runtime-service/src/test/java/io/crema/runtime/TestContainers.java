package io.crema.runtime;

import io.crema.base.ContainerId;
import io.crema.base.ImageId;
import io.crema.base.PodSandboxId;
import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerMetadata;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerRecord;
import io.crema.runtime.state.ContainerState;
import io.crema.runtime.state.Layout;
import io.crema.runtime.state.ProcessIdentity;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Containers that are records only. */
final class TestContainers {
    static final PodSandboxId POD = new PodSandboxId("a".repeat(64));

    private TestContainers() {}

    static Layout layout(Path root) {
        return new Layout(
                root.resolve("root"),
                root.resolve("run"),
                root.resolve("run"),
                root.resolve("boot"));
    }

    static Container created(Layout layout, String cgroupParent) throws IOException {
        ContainerId id = ContainerId.random();
        Files.createDirectories(layout.container(id));
        ContainerConfig config =
                ContainerConfig.newBuilder()
                        .setMetadata(ContainerMetadata.newBuilder().setName("one"))
                        .build();
        return new Container(
                layout,
                new ContainerRecord(
                        ContainerRecord.VERSION,
                        id,
                        POD,
                        "one",
                        0,
                        config.toByteArray(),
                        new byte[0],
                        new ImageId("c".repeat(64)),
                        "",
                        cgroupParent,
                        "",
                        true,
                        new ProcessIdentity(41, 400),
                        null,
                        1,
                        0,
                        0,
                        0,
                        0,
                        "",
                        ""));
    }

    static Container running(Layout layout) throws IOException {
        Container container = created(layout, "/pod");
        container.observe(new ContainerState.Started(2));
        return container;
    }
}
