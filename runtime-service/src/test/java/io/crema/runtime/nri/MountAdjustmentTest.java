package io.crema.runtime.nri;

import static io.crema.runtime.nri.SpecAdjusterTest.assertRefused;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.cri.v1.MountPropagation;
import io.crema.nri.v1alpha1.Mount;
import io.crema.oci.linux.LinuxMounts.MountEntry;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.runtime.spec.BuiltSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What becomes of the mounts that plugins want, in the specification and in the status. */
class MountAdjustmentTest {
    @TempDir Path directory;
    private AdjustmentFixture fixture;

    @BeforeEach
    void makeFixture() {
        fixture = new AdjustmentFixture(directory);
    }

    private static Mount mount(String place, String source, String... options) {
        return Mount.newBuilder()
                .setDestination(place)
                .setSource(source)
                .setType("bind")
                .addAllOptions(List.of(options))
                .build();
    }

    @Test
    void mountsAreReplacedAddedAndRemovedOuterOnesFirst() {
        BuiltSpec built =
                fixture.adjust(all ->
                        all.addMounts(mount("/a/b", directory.toString(), "rbind", "ro"))
                                .addMounts(mount("/data/", "/usr", "bind", "rw"))
                                .addMounts(Mount.newBuilder().setDestination("-/proc"))
                                .addMounts(
                                        Mount.newBuilder()
                                                .setDestination("/tmp")
                                                .setType("tmpfs")
                                                .addOptions("size=1m")));

        assertThat(built.spec().mounts())
                .containsExactly(
                        RuntimeSpec.Mount.bind("/data", "/usr", List.of("bind", "rw")),
                        RuntimeSpec.Mount.of("/tmp", "tmpfs", "tmpfs", List.of("size=1m")),
                        RuntimeSpec.Mount.bind(
                                "/a/b", directory.toString(), List.of("rbind", "ro")),
                        RuntimeSpec.Mount.bind("/a/b/c", "/srv", List.of("rbind")));
        assertThat(built.mounts())
                .extracting(
                        io.crema.cri.v1.Mount::getContainerPath,
                        io.crema.cri.v1.Mount::getHostPath,
                        io.crema.cri.v1.Mount::getReadonly)
                .containsExactly(
                        tuple("/a/b/c", "/srv", false),
                        tuple("/a/b", directory.toString(), true),
                        tuple("/data", "/usr", false));
    }

    @Test
    void aBindMountWithoutTheOptionGetsIt() {
        BuiltSpec built = fixture.adjust(all -> all.addMounts(mount("/m", "/usr", "rro")));

        assertThat(built.spec().mounts())
                .contains(RuntimeSpec.Mount.bind("/m", "/usr", List.of("rro", "rbind")));
        assertThat(built.mounts().getLast().getRecursiveReadOnly()).isTrue();
        assertThat(built.mounts().getLast().getReadonly()).isTrue();
    }

    @Test
    void theOptionAloneMakesABindMount() {
        BuiltSpec built =
                fixture.adjust(all ->
                        all.addMounts(
                                Mount.newBuilder()
                                        .setDestination("/m")
                                        .setSource("/usr")
                                        .addOptions("rbind")));

        assertThat(built.spec().mounts())
                .contains(RuntimeSpec.Mount.bind("/m", "/usr", List.of("rbind")));
    }

    @Test
    void relabellingIsNoOptionOfTheMount() {
        BuiltSpec built =
                fixture.adjust(all -> all.addMounts(mount("/m", "/usr", "rbind", "relabel")));

        assertThat(built.spec().mounts())
                .contains(RuntimeSpec.Mount.bind("/m", "/usr", List.of("rbind")));
        assertThat(built.mounts().getLast().getSelinuxRelabel()).isTrue();
    }

    @Test
    void relabellingEndsWithTheTimeOfTheCall() throws IOException {
        Path source = Files.createDirectory(directory.toRealPath().resolve("source"));
        Files.createFile(source.resolve("file"));
        fixture.fileLabel = "system_u:object_r:container_file_t:s0:c1,c2";
        fixture.deadline = Deadline.after(Duration.ZERO);

        assertThatThrownBy(() ->
                        fixture.adjust(all ->
                                all.addMounts(mount("/m", source.toString(), "rbind", "relabel"))))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining("the SELinux labels in " + source);
    }

    @Test
    void propagationReachesTheRootOfTheContainer() {
        fixture.mountTable = List.of(root("shared:1"));

        BuiltSpec slave =
                fixture.adjust(all -> all.addMounts(mount("/m", "/usr", "rbind", "rslave")));
        assertThat(slave.spec().linux().rootfsPropagation()).isEqualTo("rslave");
        assertThat(slave.mounts().getLast().getPropagation())
                .isEqualTo(MountPropagation.PROPAGATION_HOST_TO_CONTAINER);
        BuiltSpec shared =
                fixture.adjust(all ->
                        all.addMounts(mount("/m", "/usr", "rbind", "rshared"))
                                .addMounts(mount("/n", "/usr", "rbind", "rslave")));
        assertThat(shared.spec().linux().rootfsPropagation()).isEqualTo("rshared");
        assertThat(shared.mounts())
                .extracting(io.crema.cri.v1.Mount::getPropagation)
                .contains(MountPropagation.PROPAGATION_BIDIRECTIONAL);
    }

    @Test
    void propagationThatTheNodeDoesNotHaveIsRefused() {
        fixture.mountTable = List.of(root("master:1"));
        assertRefused(
                () -> fixture.adjust(all -> all.addMounts(mount("/m", "/usr", "rbind", "rshared"))),
                "mounts[/m]",
                "on a shared mount");
        fixture.mountTable = List.of(root());
        assertRefused(
                () -> fixture.adjust(all -> all.addMounts(mount("/m", "/usr", "rbind", "rslave"))),
                "mounts[/m]",
                "on a shared or slave mount");
    }

    private static MountEntry root(String... fields) {
        return new MountEntry(
                1, 1, Path.of("/"), Path.of("/"), "rw", List.of(fields), "ext4", "/dev/x", "rw");
    }

    @ParameterizedTest
    @CsvSource({
        "m, bind, /usr, rbind, the place is not absolute",
        "/, bind, /usr, rbind, that is the image's place",
        "/m, bind, /no/such/file, rbind, there is no '/no/such/file' on this node",
        "/m, bind, usr, rbind, there is no 'usr' on this node",
        "/m, bind, /usr, idmap, does not know the option idmap",
        "/m, bind, /usr, whatever, does not know the option whatever",
        "/m, '', /usr, ro, it needs a type"
    })
    void aMountThatCannotBeIsRefused(
            String place, String type, String source, String option, String reason) {
        assertRefused(
                () ->
                        fixture.adjust(all ->
                                all.addMounts(
                                        Mount.newBuilder()
                                                .setDestination(place)
                                                .setType(type)
                                                .setSource(source)
                                                .addOptions(option))),
                "mounts[" + place + "]",
                reason);
    }
}
