package io.crema.runtime.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.HugepageLimit;
import io.crema.cri.v1.LinuxContainerResources;
import io.crema.oci.spec.LinuxResources;
import io.crema.oci.spec.UnsignedLong;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ResourceUpdateTest {
    private static final long MIB = 1 << 20;
    private static final LinuxContainerResources CURRENT =
            LinuxContainerResources.newBuilder()
                    .setCpuShares(512)
                    .setCpuQuota(50_000)
                    .setCpuPeriod(100_000)
                    .setMemoryLimitInBytes(64 * MIB)
                    .setOomScoreAdj(900)
                    .addHugepageLimits(HugepageLimit.newBuilder().setPageSize("2MB"))
                    .build();

    @TempDir Path directory;
    private Handler handler;

    @BeforeEach
    void makeHandler() {
        handler = new SpecFixture(directory).handler();
    }

    private ResourceUpdate update(LinuxContainerResources requested, OptionalLong usage) {
        return ResourceUpdate.of(
                CURRENT, ResourceRequest.of(requested), Node.usual(), handler, -500, usage);
    }

    @Test
    void keepsWhatIsNotAsked() {
        ResourceUpdate update =
                update(
                        LinuxContainerResources.newBuilder().setCpuShares(1024).build(),
                        OptionalLong.empty());

        assertThat(update.effective()).isEqualTo(CURRENT.toBuilder().setCpuShares(1024).build());
        assertThat(new String(update.json(), StandardCharsets.UTF_8))
                .isEqualTo(
                        """
                        {"memory":{"limit":67108864,"swap":67108864},\
                        "cpu":{"shares":1024,"quota":50000,"period":100000}}\
                        """);
    }

    @Test
    void changesWhatTheCriHasNoWordsForAndKeepsTheRestOfTheStoredSpec() throws IOException {
        ResourceUpdate update =
                ResourceUpdate.of(
                        CURRENT,
                        new ResourceRequest(
                                LinuxContainerResources.getDefaultInstance(),
                                new ExtraLimits(7 * MIB, 8L, 9L, 10L, -1L)),
                        Node.usual(),
                        handler,
                        -500,
                        OptionalLong.empty());

        assertThat(update.effective()).isEqualTo(CURRENT);
        assertThat(new String(update.json(), StandardCharsets.UTF_8))
                .isEqualTo(
                        """
                        {"memory":{"limit":67108864,"reservation":7340032,"swap":67108864,\
                        "kernelTCP":8},\
                        "cpu":{"shares":512,"quota":50000,"period":100000,\
                        "realtimeRuntime":9,"realtimePeriod":10},"pids":{"limit":-1}}\
                        """);
        Path config = directory.resolve(BuiltSpec.CONFIG_FILE);
        Files.writeString(
                config, "{\"linux\":{\"resources\":{\"memory\":{\"limit\":1,\"swappiness\":5}}}}");
        StoredSpec.update(directory, update);
        assertThat(Files.readString(config))
                .contains(
                        "\"limit\":67108864,\"swappiness\":5,\"reservation\":7340032",
                        "\"pids\":{\"limit\":-1}");
    }

    @Test
    void newMemoryLimitMovesTheSwapLimitWithIt() {
        ResourceUpdate update =
                update(
                        LinuxContainerResources.newBuilder()
                                .setMemoryLimitInBytes(32 * MIB)
                                .build(),
                        OptionalLong.of(MIB));

        assertThat(update.resources().memory())
                .isEqualTo(new LinuxResources.Memory(32 * MIB, null, 32 * MIB));
        assertThat(update.effective().getMemoryLimitInBytes()).isEqualTo(32 * MIB);
    }

    @Test
    void liftsLimits() {
        ResourceUpdate update =
                update(
                        LinuxContainerResources.newBuilder()
                                .setMemoryLimitInBytes(-1)
                                .setCpuQuota(-1)
                                .build(),
                        OptionalLong.of(MIB));

        assertThat(new String(update.json(), StandardCharsets.UTF_8))
                .contains("\"limit\":-1,\"swap\":-1", "\"quota\":-1");
    }

    @Test
    void refusesALimitBelowWhatIsUsed() {
        LinuxContainerResources requested =
                LinuxContainerResources.newBuilder().setMemoryLimitInBytes(32 * MIB).build();

        assertThatThrownBy(() -> update(requested, OptionalLong.of(33 * MIB)))
                .isInstanceOf(PodException.class)
                .hasMessageContaining("uses 34603008 bytes, more than the new limit of 33554432")
                .extracting(error -> ((PodException) error).kind())
                .isEqualTo(ErrorKind.FAILED_PRECONDITION);
    }

    @Test
    void refusesWhatCreationRefuses() {
        assertThatThrownBy(() ->
                        update(
                                LinuxContainerResources.newBuilder().setCpusetCpus("x").build(),
                                OptionalLong.empty()))
                .hasMessageContaining("linux.cpuset_cpus");
        assertThatThrownBy(() ->
                        update(
                                LinuxContainerResources.newBuilder()
                                        .setMemoryLimitInBytes(1)
                                        .build(),
                                OptionalLong.empty()))
                .hasMessageContaining("linux.memory_limit_in_bytes");
    }

    @Test
    void oomScoreAdjustmentChangesWhenItIsAnother() {
        ResourceUpdate same =
                update(
                        LinuxContainerResources.newBuilder().setOomScoreAdj(900).build(),
                        OptionalLong.empty());
        assertThat(same.oomScoreAdjustment()).isEmpty();
        ResourceUpdate lower =
                update(
                        LinuxContainerResources.newBuilder().setOomScoreAdj(-900).build(),
                        OptionalLong.empty());
        assertThat(lower.oomScoreAdjustment()).hasValue(-500);
        assertThat(lower.effective().getOomScoreAdj()).isEqualTo(-500);
        assertThatThrownBy(() ->
                        update(
                                LinuxContainerResources.newBuilder().setOomScoreAdj(1001).build(),
                                OptionalLong.empty()))
                .hasMessageContaining("linux.oom_score_adj");
    }

    @Test
    void hugePagesAreOursToWrite() {
        ResourceUpdate update =
                update(
                        LinuxContainerResources.newBuilder()
                                .addHugepageLimits(
                                        HugepageLimit.newBuilder()
                                                .setPageSize("2MB")
                                                .setLimit(4 * MIB))
                                .build(),
                        OptionalLong.empty());
        assertThat(new String(update.json(), StandardCharsets.UTF_8)).doesNotContain("huge");
        assertThat(update.hugePages().hugepageLimits())
                .containsExactly(new LinuxResources.HugepageLimit("2MB", UnsignedLong.of(4 * MIB)));
        assertThat(update.effective().getHugepageLimitsList())
                .containsExactly(
                        HugepageLimit.newBuilder().setPageSize("2MB").setLimit(4 * MIB).build());
        assertThatThrownBy(() ->
                        update(
                                LinuxContainerResources.newBuilder()
                                        .addHugepageLimits(
                                                HugepageLimit.newBuilder()
                                                        .setPageSize("3MB")
                                                        .setLimit(3 * MIB))
                                        .build(),
                                OptionalLong.empty()))
                .hasMessageContaining("linux.hugepage_limits");
    }
}
