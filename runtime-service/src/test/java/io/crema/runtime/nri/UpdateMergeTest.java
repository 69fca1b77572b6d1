package io.crema.runtime.nri;

import static io.crema.runtime.nri.ResourceAdjustmentTest.number;
import static io.crema.runtime.nri.ResourceAdjustmentTest.unsigned;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.LinuxContainerResources;
import io.crema.nri.v1alpha1.Container;
import io.crema.nri.v1alpha1.ContainerEviction;
import io.crema.nri.v1alpha1.ContainerUpdate;
import io.crema.nri.v1alpha1.HugepageLimit;
import io.crema.nri.v1alpha1.LinuxDeviceCgroup;
import io.crema.nri.v1alpha1.LinuxPids;
import io.crema.nri.v1alpha1.LinuxResources;
import io.crema.nri.v1alpha1.OptionalBool;
import io.crema.nri.v1alpha1.UpdateContainerRequest;
import io.crema.runtime.spec.ExtraLimits;
import io.crema.runtime.spec.Node;
import io.crema.runtime.spec.ResourceRequest;
import io.crema.runtime.state.PodException;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** What plugins want of containers that exist, put together and as a request to us. */
class UpdateMergeTest {
    private static final String ID = "c1";
    private static final String FIRST = "00-first";
    private static final String SECOND = "10-second";
    private static final long MIB = 1 << 20;

    private static ContainerUpdate update(String id, Consumer<LinuxResources.Builder> change) {
        ContainerUpdate.Builder update = ContainerUpdate.newBuilder().setContainerId(id);
        change.accept(update.getLinuxBuilder().getResourcesBuilder());
        return update.build();
    }

    private static UpdateMerge requested(Consumer<LinuxResources.Builder> change) {
        UpdateContainerRequest.Builder request =
                UpdateContainerRequest.newBuilder().setContainer(Container.newBuilder().setId(ID));
        change.accept(request.getLinuxResourcesBuilder());
        return UpdateMerge.of(request.build());
    }

    @Test
    void theUpdateOfTheContainerIsWhatTheNextPluginSees() {
        UpdateMerge merge =
                requested(all ->
                        all.getCpuBuilder().setShares(unsigned(100)).setPeriod(unsigned(1000)));

        merge.add(
                FIRST,
                List.of(update(ID, all -> all.getCpuBuilder().setShares(unsigned(200)))),
                List.of());

        assertThat(merge.request().getLinuxResources().getCpu().getShares().getValue())
                .isEqualTo(200);
        assertThat(merge.request().getLinuxResources().getCpu().getPeriod().getValue())
                .isEqualTo(1000);
        assertThat(merge.updates()).isEmpty();
        assertThatThrownBy(() ->
                        merge.add(
                                SECOND,
                                List.of(
                                        update(
                                                ID,
                                                all -> all.getCpuBuilder().setShares(unsigned(3)))),
                                List.of()))
                .hasMessageContaining(FIRST)
                .hasMessageContaining(SECOND)
                .hasMessageContaining("linux.resources.cpu.shares of container " + ID);
    }

    @Test
    void itBecomesARequestWithWhatTheCriHasNoWordsFor() {
        LinuxContainerResources original =
                LinuxContainerResources.newBuilder().setCpuShares(100).setOomScoreAdj(33).build();
        UpdateMerge merge = requested(all -> all.getCpuBuilder().setShares(unsigned(100)));
        merge.add(
                FIRST,
                List.of(
                        update(
                                ID,
                                all -> {
                                    all.setPids(LinuxPids.newBuilder().setLimit(50));
                                    all.getMemoryBuilder()
                                            .setLimit(number(64 * MIB))
                                            .setReservation(number(MIB));
                                    all.getCpuBuilder().setCpus("0");
                                    all.putUnified("memory.high", "9")
                                            .addHugepageLimits(
                                                    HugepageLimit.newBuilder()
                                                            .setPageSize("2MB")
                                                            .setLimit(4));
                                })),
                List.of());

        assertThat(merge.resources(original, Node.usual()))
                .isEqualTo(
                        new ResourceRequest(
                                LinuxContainerResources.newBuilder()
                                        .setCpuShares(100)
                                        .setCpusetCpus("0")
                                        .setMemoryLimitInBytes(64 * MIB)
                                        .setOomScoreAdj(33)
                                        .putUnified("memory.high", "9")
                                        .addHugepageLimits(
                                                io.crema.cri.v1.HugepageLimit.newBuilder()
                                                        .setPageSize("2MB")
                                                        .setLimit(4))
                                        .build(),
                                new ExtraLimits(MIB, null, null, null, 50L)));
    }

    /** On the way through the words of plugins no field of a request may be lost. */
    @Test
    void whatNoPluginTouchesArrivesAsItWasAsked() {
        LinuxContainerResources original =
                LinuxContainerResources.newBuilder()
                        .setCpuPeriod(1)
                        .setCpuQuota(2)
                        .setCpuShares(3)
                        .setMemoryLimitInBytes(4)
                        .setOomScoreAdj(5)
                        .setCpusetCpus("6")
                        .setCpusetMems("7")
                        .addHugepageLimits(
                                io.crema.cri.v1.HugepageLimit.newBuilder().setPageSize("2MB"))
                        .putUnified("memory.high", "8")
                        .setMemorySwapLimitInBytes(9)
                        .build();
        assertThat(original.getAllFields())
                .hasSize(LinuxContainerResources.getDescriptor().getFields().size());
        UpdateMerge merge =
                UpdateMerge.of(
                        UpdateContainerRequest.newBuilder()
                                .setContainer(Container.newBuilder().setId(ID))
                                .setLinuxResources(ResourceMessages.of(original))
                                .build());

        assertThat(merge.resources(original, Node.small())).isEqualTo(ResourceRequest.of(original));
    }

    @Test
    void whatNoPluginSetIsNotRefusedInItsName() {
        UpdateMerge merge =
                requested(all ->
                        all.addHugepageLimits(HugepageLimit.newBuilder().setPageSize("2MB")));

        assertThat(
                        merge.resources(LinuxContainerResources.getDefaultInstance(), Node.small())
                                .cri()
                                .getHugepageLimitsCount())
                .isEqualTo(1);
    }

    @Test
    void whatCanOnlyBeSetWhenAContainerIsMadeIsRefused() {
        for (Consumer<LinuxResources.Builder> change :
                List.<Consumer<LinuxResources.Builder>>of(
                        all -> all.getMemoryBuilder().setSwappiness(unsigned(5)),
                        all ->
                                all.getMemoryBuilder()
                                        .setDisableOomKiller(
                                                OptionalBool.newBuilder().setValue(true)),
                        all -> all.addDevices(LinuxDeviceCgroup.getDefaultInstance()))) {
            UpdateMerge merge = UpdateMerge.ofOthers();
            merge.add(FIRST, List.of(update("c2", change)), List.of());

            assertThatThrownBy(() -> merge.resources(merge.updates().getFirst(), Node.small()))
                    .isInstanceOf(PodException.class)
                    .hasMessageContaining("NRI plugin " + FIRST)
                    .hasMessageContaining("of container c2")
                    .hasMessageContaining("only while the container is made");
        }
    }

    @Test
    void updatesOfOthersAreJoinedInTheOrderInWhichTheyWereNamed() {
        UpdateMerge merge = UpdateMerge.ofOthers();
        merge.add(
                FIRST,
                List.of(
                        update("c3", all -> all.getCpuBuilder().setShares(unsigned(3))),
                        update("c2", all -> all.getCpuBuilder().setShares(unsigned(2)))),
                List.of());
        merge.add(
                SECOND,
                List.of(update("c3", all -> all.getCpuBuilder().setQuota(number(5)))),
                List.of());

        assertThat(merge.updates())
                .extracting(ContainerUpdate::getContainerId)
                .containsExactly("c3", "c2");
        assertThat(merge.resources(merge.updates().getFirst(), Node.usual()))
                .isEqualTo(
                        ResourceRequest.of(
                                LinuxContainerResources.newBuilder()
                                        .setCpuShares(3)
                                        .setCpuQuota(5)
                                        .build()));
        assertThat(merge.plugins("c3")).containsExactly(FIRST, SECOND);
    }

    @Test
    void anUpdateThatMayFailIsPassedOverAsAWhole() {
        UpdateMerge merge = UpdateMerge.ofOthers();
        merge.add(
                FIRST,
                List.of(update("c2", all -> all.getCpuBuilder().setQuota(number(1)))),
                List.of());
        ContainerUpdate conflicting =
                update("c2", all -> all.getCpuBuilder().setShares(unsigned(9)).setQuota(number(9)))
                        .toBuilder()
                        .setIgnoreFailure(true)
                        .build();

        merge.add(SECOND, List.of(conflicting), List.of());

        assertThat(merge.updates())
                .singleElement()
                .satisfies(update -> {
                    assertThat(update.getLinux().getResources().getCpu().hasShares()).isFalse();
                    assertThat(update.getIgnoreFailure()).isFalse();
                });
        // What it would have claimed is free.
        merge.add(
                "20-third",
                List.of(update("c2", all -> all.getCpuBuilder().setShares(unsigned(1)))),
                List.of());
    }

    @Test
    void anUpdateMayFailWhenAllThatWantItSaySo() {
        UpdateMerge merge = UpdateMerge.ofOthers();
        ContainerUpdate mayFail =
                update("c2", all -> {}).toBuilder().setIgnoreFailure(true).build();
        merge.add(FIRST, List.of(mayFail), List.of());
        assertThat(merge.updates().getFirst().getIgnoreFailure()).isTrue();

        merge.add(SECOND, List.of(update("c2", all -> {})), List.of());

        assertThat(merge.updates().getFirst().getIgnoreFailure()).isFalse();
    }

    @Test
    void anUpdateMustNameItsContainer() {
        assertThatThrownBy(() ->
                        UpdateMerge.ofOthers()
                                .add(FIRST, List.of(update("", all -> {})), List.of()))
                .hasMessageContaining(FIRST + " updates a container without naming it");
    }

    @Test
    void ofSeveralEvictionsTheFirstReasonCounts() {
        UpdateMerge merge = UpdateMerge.ofOthers();
        for (String plugin : List.of(FIRST, SECOND)) {
            merge.add(
                    plugin,
                    List.of(),
                    List.of(
                            ContainerEviction.newBuilder()
                                    .setContainerId("c2")
                                    .setReason(plugin)
                                    .build()));
        }

        assertThat(merge.evictions())
                .extracting(ContainerEviction::getReason)
                .containsExactly(FIRST);
    }
}
