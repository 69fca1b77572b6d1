package io.crema.runtime.state;

import io.crema.base.ContainerId;
import io.crema.base.ImageId;
import io.crema.base.PodSandboxId;
import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.ContainerMetadata;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.PodSandboxMetadata;
import java.util.List;

/** Records for tests, with ids that are easy to read. */
public final class RecordFixtures {
    private RecordFixtures() {}

    /** An id of one repeated hexadecimal digit, after a prefix. */
    public static String id(String prefix, char digit) {
        return prefix + String.valueOf(digit).repeat(64 - prefix.length());
    }

    public static SandboxRecord sandbox(String id) {
        PodSandboxConfig config =
                PodSandboxConfig.newBuilder()
                        .setMetadata(
                                PodSandboxMetadata.newBuilder()
                                        .setName("pod")
                                        .setNamespace("test")
                                        .setUid("uid"))
                        .build();
        return new SandboxRecord(
                SandboxRecord.VERSION,
                new PodSandboxId(id),
                "pod",
                "test",
                "uid",
                0,
                config.toByteArray(),
                "",
                "pod",
                "/test",
                true,
                List.of("10.0.0.2"),
                null,
                null,
                true,
                false,
                1,
                new byte[0],
                new byte[0]);
    }

    public static ContainerRecord container(String id, String sandbox) {
        ContainerConfig config =
                ContainerConfig.newBuilder()
                        .setMetadata(ContainerMetadata.newBuilder().setName("one"))
                        .build();
        return new ContainerRecord(
                ContainerRecord.VERSION,
                new ContainerId(id),
                new PodSandboxId(sandbox),
                "one",
                0,
                config.toByteArray(),
                new byte[0],
                new ImageId("ab".repeat(32)),
                "",
                "/test",
                "/logs/one.log",
                true,
                new ProcessIdentity(4, 5),
                new ProcessIdentity(6, 7),
                1,
                0,
                0,
                0,
                0,
                "",
                "");
    }
}
