package io.crema.runtime.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.ErrorKind;
import io.crema.base.ImageId;
import io.crema.cri.v1.IDMapping;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.Mount;
import io.crema.cri.v1.MountPropagation;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MountPlanTest {
    @TempDir Path directory;
    private SpecFixture fixture;
    private Path source;

    @BeforeEach
    void makeFixture() throws IOException {
        fixture = new SpecFixture(directory);
        source = Files.createDirectory(directory.resolve("source")).toRealPath();
    }

    private Mount.Builder mount(String place) {
        return Mount.newBuilder().setContainerPath(place).setHostPath(source.toString());
    }

    private RuntimeSpec.Mount built(Mount.Builder mount) {
        fixture.config.clearMounts().addMounts(mount);
        String place = mount.getContainerPath();
        return fixture.build().spec().mounts().stream()
                .filter(one -> one.destination().equals(place))
                .reduce((first, second) -> second)
                .orElseThrow();
    }

    private void refused(Mount.Builder mount, ErrorKind kind, String message) {
        fixture.config.clearMounts().addMounts(mount);
        assertThatThrownBy(fixture::build)
                .isInstanceOf(PodException.class)
                .hasMessageContaining(message)
                .extracting(error -> ((PodException) error).kind())
                .isEqualTo(kind);
    }

    private List<String> destinations() {
        return fixture.build().spec().mounts().stream()
                .map(RuntimeSpec.Mount::destination)
                .toList();
    }

    @Test
    void defaultsAreAllThereOuterPlacesFirst() {
        assertThat(destinations())
                .containsExactly(
                        "/proc",
                        "/dev",
                        "/sys",
                        "/dev/pts",
                        "/dev/mqueue",
                        "/dev/shm",
                        "/etc/resolv.conf",
                        "/etc/hostname",
                        "/etc/hosts",
                        "/run/.containerenv",
                        "/sys/fs/cgroup");
    }

    @Test
    void bindsPrivatelyAndWritable() {
        RuntimeSpec.Mount mount = built(mount("/data"));

        assertThat(mount.type()).isEqualTo("bind");
        assertThat(mount.source()).isEqualTo(source.toString());
        assertThat(mount.options()).containsExactly("rbind", "rprivate", "rw");
    }

    @Test
    void readOnlyAndOptions() {
        assertThat(
                        built(
                                        mount("/data")
                                                .setReadonly(true)
                                                .addMountOptions("noexec")
                                                .addMountOptions("nosuid")
                                                .addMountOptions("nodev"))
                                .options())
                .containsExactly("rbind", "rprivate", "ro", "noexec", "nosuid", "nodev");
    }

    @ParameterizedTest
    @ValueSource(strings = {"exec", "suid", "rw", "", "noexec,nodev", "NOEXEC"})
    void refusesOtherOptions(String option) {
        refused(
                mount("/data").addMountOptions(option),
                ErrorKind.INVALID_ARGUMENT,
                "mounts[0].mount_options: '" + option + "'");
    }

    @Test
    void resolvesLinksOfTheHost() throws IOException {
        Path link = Files.createSymbolicLink(directory.resolve("link"), source);
        Files.createDirectory(source.resolve("below"));

        assertThat(built(mount("/data").setHostPath(link + "/below")).source())
                .isEqualTo(source.resolve("below").toString());
    }

    @Test
    void makesMissingSources() throws IOException {
        Path missing = directory.resolve("a/b");

        assertThat(built(mount("/data").setHostPath(missing.toString())).source())
                .isEqualTo(missing.toRealPath().toString());
        assertThat(Files.getPosixFilePermissions(missing)).hasSize(7); // rwxr-xr-x
    }

    @Test
    void doesNotMakeThoseThatAreForbidden() {
        fixture.toml =
                "[crio.runtime]\nabsent_mount_sources_to_reject = [\""
                        + directory.resolve("forbidden")
                        + "\"]\n";

        refused(
                mount("/data").setHostPath(directory.resolve("forbidden").toString()),
                ErrorKind.FAILED_PRECONDITION,
                "absent_mount_sources_to_reject");
        refused(
                mount("/data").setHostPath(directory.resolve("forbidden/below").toString()),
                ErrorKind.FAILED_PRECONDITION,
                "mounts[0].host_path");
        assertThat(directory.resolve("forbidden")).doesNotExist();
    }

    @Test
    void refusesSourcesThatCannotBe() throws IOException {
        Path dangling =
                Files.createSymbolicLink(directory.resolve("dangling"), directory.resolve("no"));
        Path file = Files.writeString(directory.resolve("file"), "");
        Path loop = directory.resolve("loop");
        Files.createSymbolicLink(loop, loop);

        refused(
                mount("/data").setHostPath(dangling.toString()),
                ErrorKind.FAILED_PRECONDITION,
                "dangling link");
        refused(
                mount("/data").setHostPath(file.resolve("x").toString()),
                ErrorKind.FAILED_PRECONDITION,
                "Not a directory");
        refused(
                mount("/data").setHostPath(loop.toString()),
                ErrorKind.FAILED_PRECONDITION,
                "symbolic links");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "data", "./data", "da\0ta"})
    void refusesPathsThatAreNotAbsolute(String path) {
        refused(mount(path), ErrorKind.INVALID_ARGUMENT, "mounts[0].container_path must be");
        refused(
                mount("/data").setHostPath(path),
                ErrorKind.INVALID_ARGUMENT,
                "mounts[0].host_path must be");
    }

    @ParameterizedTest
    @ValueSource(strings = {"/", "//", "/data/.."})
    void refusesToHideTheImage(String place) {
        refused(mount(place), ErrorKind.INVALID_ARGUMENT, "container_path must not be /");
    }

    @Test
    void aMountInAPlaceOfADefaultReplacesIt() {
        fixture.config.addMounts(mount("/etc/hosts")).addMounts(mount("/dev/shm"));

        List<RuntimeSpec.Mount> mounts = fixture.build().spec().mounts();

        assertThat(mounts.stream().filter(one -> one.destination().equals("/etc/hosts")))
                .singleElement()
                .satisfies(one -> assertThat(one.source()).isEqualTo(source.toString()));
        assertThat(mounts.stream().filter(one -> one.destination().equals("/dev/shm"))).hasSize(1);
    }

    @Test
    void aMountAroundDefaultsReplacesThemAll() {
        fixture.config
                .addMounts(mount("/dev"))
                .addMounts(mount("/sys"))
                .addMounts(mount("/run"))
                .addMounts(mount("/etc"));

        assertThat(destinations())
                .containsExactly(
                        "/proc",
                        "/dev",
                        "/sys",
                        "/run",
                        "/etc",
                        // Programs need these whatever lies in /etc.
                        "/etc/resolv.conf",
                        "/etc/hostname",
                        "/etc/hosts");
    }

    @Test
    void ordersByDepthAndElseAsGiven() {
        fixture.config
                .addMounts(mount("/a/b/c"))
                .addMounts(mount("/z"))
                .addMounts(mount("/a/b"))
                .addMounts(mount("/b"));

        assertThat(destinations()).containsSubsequence("/z", "/b", "/a/b", "/a/b/c");
    }

    @Test
    void statusTellsTheMountsAsAsked() {
        Mount asked = mount("/data").setReadonly(true).build();
        fixture.config.addMounts(asked);

        assertThat(fixture.build().effective().getMountsList()).containsExactly(asked);
    }

    @ParameterizedTest
    @CsvSource({
        "PROPAGATION_HOST_TO_CONTAINER, shared:1, rslave, rslave",
        "PROPAGATION_HOST_TO_CONTAINER, master:1, rslave, rslave",
        "PROPAGATION_BIDIRECTIONAL, shared:1, rshared, rshared"
    })
    void propagates(MountPropagation mode, String field, String option, String root) {
        fixture.mountTable =
                List.of(
                        SpecFixture.mountOf("/", List.of()),
                        SpecFixture.mountOf(source.toString(), List.of()),
                        SpecFixture.mountOf(source.toString(), List.of(field)));

        assertThat(built(mount("/data").setPropagation(mode)).options())
                .containsExactly("rbind", option, "rw");
        RuntimeSpec spec = fixture.build().spec();
        assertThat(spec.linux().rootfsPropagation()).isEqualTo(root);
    }

    @Test
    void leavesTheRootsPropagationToTheRuntimeOtherwise() {
        built(mount("/data"));

        assertThat(fixture.build().spec().linux().rootfsPropagation()).isNull();
    }

    @Test
    void refusesPropagationThatCannotHappen() {
        refused(
                mount("/data").setPropagation(MountPropagation.PROPAGATION_HOST_TO_CONTAINER),
                ErrorKind.FAILED_PRECONDITION,
                "shared or slave mount, but / is not one; mount --make-rshared /");
        refused(
                mount("/data").setPropagation(MountPropagation.PROPAGATION_BIDIRECTIONAL),
                ErrorKind.FAILED_PRECONDITION,
                "mounts[0].propagation: PROPAGATION_BIDIRECTIONAL needs " + source);
        fixture.mountTable =
                List.of(
                        SpecFixture.mountOf("/", List.of("shared:1")),
                        SpecFixture.mountOf(source.toString(), List.of("master:1")));
        refused(
                mount("/data").setPropagation(MountPropagation.PROPAGATION_BIDIRECTIONAL),
                ErrorKind.FAILED_PRECONDITION,
                "on a shared mount");
        refused(
                mount("/data").setPropagationValue(9),
                ErrorKind.INVALID_ARGUMENT,
                "mounts[0].propagation");
    }

    @Test
    void letsGoOfMountsOfContainersThatItCovers() {
        fixture.aroundStorage = source.resolve("root");

        assertThat(built(mount("/host")).options()).containsExactly("rbind", "rslave", "rw");
    }

    @Test
    void recursivelyReadOnly() {
        assertThat(built(mount("/data").setReadonly(true).setRecursiveReadOnly(true)).options())
                .containsExactly("rbind", "rprivate", "rro");
    }

    @Test
    void refusesRecursivelyReadOnlyThatCannotBe() {
        UnaryOperator<Mount.Builder> wanted =
                mount -> mount.setReadonly(true).setRecursiveReadOnly(true);
        refused(
                mount("/data").setRecursiveReadOnly(true),
                ErrorKind.INVALID_ARGUMENT,
                "recursive_read_only needs readonly");
        refused(
                wanted.apply(mount("/data"))
                        .setPropagation(MountPropagation.PROPAGATION_HOST_TO_CONTAINER),
                ErrorKind.INVALID_ARGUMENT,
                "recursive_read_only needs propagation PROPAGATION_PRIVATE");

        fixture.runtimeMountOptions = Set.of("ro");
        refused(wanted.apply(mount("/data")), ErrorKind.CRI_REASON, "RROUnsupported: mounts[0]");

        fixture.runtimeMountOptions = Set.of("rro");
        fixture.node = Node.withKernel(fixture.node, new KernelVersion(5, 10));
        refused(wanted.apply(mount("/data")), ErrorKind.CRI_REASON, "Linux 5.10 is older");
    }

    @Test
    void refusesMappingsThatAreNotThePods() {
        IDMapping mapping = IDMapping.newBuilder().setHostId(100000).setLength(65536).build();
        refused(
                mount("/data").addUidMappings(mapping).addGidMappings(mapping),
                ErrorKind.INVALID_ARGUMENT,
                "mounts[0].uidMappings: the pod has no user namespace");

        fixture.mapUsers(100000, 65536);
        refused(
                mount("/data").addUidMappings(mapping),
                ErrorKind.INVALID_ARGUMENT,
                "mounts[0].gidMappings must be those of the pod");
        refused(
                mount("/data")
                        .addUidMappings(mapping.toBuilder().setHostId(5))
                        .addGidMappings(mapping),
                ErrorKind.INVALID_ARGUMENT,
                "mounts[0].uidMappings must be those of the pod");
    }

    @Test
    void showsAnImageOrADirectoryOfIt() throws IOException {
        Path image = Files.createDirectories(directory.resolve("image"));
        Files.createDirectories(image.resolve("real/data"));
        Files.createSymbolicLink(image.resolve("link"), Path.of("/real"));
        Files.createSymbolicLink(image.resolve("away"), Path.of("../.."));
        Files.writeString(image.resolve("file"), "");
        fixture.imageVolumesOfMounts =
                List.of(new ImageVolume(0, new ImageId("ab".repeat(32)), image));
        UnaryOperator<Mount.Builder> wanted =
                mount ->
                        mount.clearHostPath()
                                .setReadonly(true)
                                .setImage(ImageSpec.newBuilder().setImage("x"));

        RuntimeSpec.Mount whole = built(wanted.apply(mount("/data")));
        assertThat(whole.source()).isEqualTo(image.toString());
        assertThat(whole.options()).containsExactly("rbind", "rprivate", "ro", "nosuid", "nodev");
        assertThat(fixture.build().mounts().getFirst().getImage().getImageRef())
                .isEqualTo("ab".repeat(32));
        assertThat(built(wanted.apply(mount("/data")).setImageSubPath("link/data")).source())
                .isEqualTo(image.toRealPath().resolve("real/data").toString());
        assertThat(built(wanted.apply(mount("/data")).setImageSubPath("away")).source())
                .as("a link cannot lead out of the image")
                .isEqualTo(image.toRealPath().toString());
        refused(
                wanted.apply(mount("/data")).setImageSubPath("missing"),
                ErrorKind.CRI_REASON,
                "ImageVolumeMountFailed: mounts[0].image_sub_path: there is no directory missing");
        refused(
                wanted.apply(mount("/data")).setImageSubPath("file"),
                ErrorKind.CRI_REASON,
                "ImageVolumeMountFailed");
        refused(
                wanted.apply(mount("/data")).setImageSubPath("a/../b"),
                ErrorKind.INVALID_ARGUMENT,
                "without ..");
    }

    @Test
    void asksForNoRelabellingWhereThereIsNoSelinux() {
        assertThat(built(mount("/data").setSelinuxRelabel(true)).options())
                .containsExactly("rbind", "rprivate", "rw");
    }

    @Test
    void relabellingEndsWithTheTimeOfTheCall() throws IOException {
        Files.createFile(source.resolve("file"));
        fixture.labelFiles(directory.resolve("fake"));
        fixture.deadline = Deadline.after(Duration.ZERO);

        assertThatThrownBy(() -> built(mount("/data").setSelinuxRelabel(true)))
                .isInstanceOf(DeadlineExceededException.class)
                .hasMessageContaining("the SELinux labels in " + source);
    }
}
