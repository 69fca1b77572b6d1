package io.crema.e2e;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.ContainerConfig;
import io.crema.cri.v1.Image;
import io.crema.cri.v1.ImageSpec;
import io.crema.e2e.image.BusyboxArchive;
import io.crema.e2e.image.Layer;
import io.crema.e2e.image.OciImage;
import io.crema.e2e.node.NetworkNamespace;
import io.crema.e2e.node.TestImages;
import io.crema.e2e.node.TestNode;
import io.crema.e2e.node.TestPod;
import io.crema.e2e.registry.Closing;
import io.crema.e2e.registry.FaultyRegistry;
import io.crema.e2e.registry.TestRegistry;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * Images from a real registry: identity, lists, removal, errors, and what containers make of them.
 */
@Tag("e2e")
class ImageTest {
    private static final int LARGE_BYTES = 3_000_000;

    private static NetworkNamespace network;
    private static TestRegistry registry;
    private static FaultyRegistry faulty;
    private static TestNode node;
    private static TestImages images;
    private static byte[] busybox;

    @BeforeAll
    static void startNode() throws IOException {
        network = TestRegistry.network();
        registry = TestRegistry.open(network);
        faulty = new FaultyRegistry(registry, network);
        node = TestNode.start(registry.node().withRegistry(faulty.address()));
        images = node.images();
        busybox = BusyboxArchive.tar(Path.of("/bin/busybox"));
    }

    @AfterAll
    static void stopNode() {
        Closing.all(node, faulty, registry, () -> TestRegistry.release(network));
    }

    @AfterEach
    void removeImages() {
        faulty.behave();
        node.removeAllPods();
        images.removePulled();
    }

    @Test
    void oneIdEverywhere() {
        OciImage image = small("identity");
        registry.push("e2e/identity:1", List.of(image));
        String reference = registry.address() + "/e2e/identity:1";
        String id = images.pull(reference);
        assertThat(id).endsWith(image.config().hex());
        Image found = images.find(reference).orElseThrow();
        assertThat(found.getId()).isEqualTo(id);
        assertThat(found.getRepoTagsList()).containsExactly(reference);
        assertThat(found.getRepoDigestsList()).hasSize(1);
        String digest = found.getRepoDigests(0);
        assertThat(digest).startsWith(registry.address() + "/e2e/identity@sha256:");
        assertThat(found.getSize()).isPositive();
        for (String name :
                List.of(id, image.config().hex(), "sha256:" + image.config().hex(), digest)) {
            assertThat(images.find(name)).as(name).contains(found);
        }
        assertThat(images.find(image.config().hex().substring(0, 12))).contains(found);
        assertThat(images.list()).contains(found);
    }

    @Test
    void aContainerTellsTheIdOfItsImage() throws IOException {
        registry.push(
                "e2e/runs:1",
                List.of(OciImage.of(List.of("sh"), Layer.of(busybox), text("own", "image"))));
        String id = images.pull(registry.address() + "/e2e/runs:1");
        TestPod pod = TestPod.run(node);
        ContainerConfig config =
                pod.shell("one", "exec sleep 1000")
                        .setImage(
                                ImageSpec.newBuilder()
                                        .setImage(id)
                                        .setUserSpecifiedImage(registry.address() + "/e2e/runs:1"))
                        .build();
        String container = pod.create(config);
        assertThat(pod.status(container).getImage().getImage())
                .isEqualTo(registry.address() + "/e2e/runs:1");
        assertThat(pod.status(container).getImageRef()).isNotEmpty();
        Peers.differ(node, "containerd 1.6 has no image_id in the status of a container");
        assertThat(pod.status(container).getImageId()).isEqualTo(id);
    }

    @Test
    void aPullByDigestBringsNoTag() {
        OciImage image = small("digest");
        registry.upload().image("e2e/digest", "1", image);
        String reference = registry.address() + "/e2e/digest@" + image.manifest().digest();
        String id = images.pull(reference);
        Image found = images.find(reference).orElseThrow();
        assertThat(found.getId()).isEqualTo(id);
        assertThat(found.getRepoTagsList()).isEmpty();
        assertThat(found.getRepoDigestsList()).containsExactly(reference);
    }

    @Test
    void aNameWithoutTagMeansLatest() {
        registry.push("e2e/untagged:latest", List.of(small("untagged")));
        String id = images.pull(registry.address() + "/e2e/untagged");
        assertThat(images.find(id).orElseThrow().getRepoTagsList())
                .containsExactly(registry.address() + "/e2e/untagged:latest");
    }

    @Test
    void zstdLayersAndDockerManifestsArePulled() {
        OciImage image = OciImage.of(List.of("sh"), Layer.of(busybox), text("kind", "any"));
        registry.push("e2e/kinds:zstd", List.of(image), "--dest-compress-format", "zstd");
        registry.push("e2e/kinds:docker", List.of(image), "--format", "v2s2");
        registry.upload()
                .image(
                        "e2e/kinds",
                        "plain",
                        OciImage.of(List.of("sh"), Layer.plain(busybox), text("kind", "any")));
        for (String tag : List.of("zstd", "docker", "plain")) {
            String reference = registry.address() + "/e2e/kinds:" + tag;
            images.pull(reference);
            assertThat(fileIn(reference, "/kind")).as(tag).isEqualTo("any");
        }
    }

    @Test
    void anIndexGivesThisMachinesImage() {
        List<OciImage> all = new ArrayList<>();
        for (String architecture : List.of("s390x", "arm64", "amd64", "riscv64")) {
            all.add(
                    OciImage.of(List.of("sh"), Layer.of(busybox), text("kind", architecture))
                            .forArchitecture(architecture));
        }
        registry.push("e2e/index:1", all);
        String reference = registry.address() + "/e2e/index:1";
        images.pull(reference);
        assertThat(fileIn(reference, "/kind")).isEqualTo(OciImage.localArchitecture());
        assertThat(images.find(reference).orElseThrow().getRepoDigestsList())
                .contains(registry.address() + "/e2e/index@" + OciImage.index(all).digest());
    }

    @Test
    void anIndexWithoutThisMachinesImageIsRefused() {
        registry.upload().image("e2e/foreign", "s390x", small("f").forArchitecture("s390x"));
        registry.upload().image("e2e/foreign", "mips", small("f").forArchitecture("mips"));
        registry.upload()
                .manifest(
                        "e2e/foreign",
                        "1",
                        OciImage.index(
                                List.of(
                                        small("f").forArchitecture("s390x"),
                                        small("f").forArchitecture("mips"))));
        assertThatThrownBy(() -> images.pull(registry.address() + "/e2e/foreign:1"))
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageMatching("(?s).*(no match for platform|linux/).*");
    }

    @Test
    void twoNamesOfOneImageAreOneImage() {
        OciImage image = small("names");
        registry.push("e2e/names:1", List.of(image));
        registry.push("e2e/other-name:2", List.of(image));
        String first = registry.address() + "/e2e/names:1";
        String second = registry.address() + "/e2e/other-name:2";
        String id = images.pull(first);
        assertThat(images.pull(second)).isEqualTo(id);
        Image found = images.find(first).orElseThrow();
        assertThat(found.getRepoTagsList()).containsExactlyInAnyOrder(first, second);
        assertThat(found.getRepoDigestsList()).hasSize(2);
        assertThat(images.list().stream().filter(i -> i.getId().equals(id))).hasSize(1);
        images.remove(second);
        for (String name : List.of(first, second, id)) {
            assertThat(images.find(name)).as(name).isEmpty();
        }
        assertThat(images.list()).noneMatch(i -> i.getId().equals(id));
        images.remove(second);
        images.remove(id);
    }

    @Test
    void aTagThatMovesLeavesTheOldImageItsDigest() {
        String reference = registry.address() + "/e2e/moves:1";
        registry.push("e2e/moves:1", List.of(small("before")));
        String before = images.pull(reference);
        registry.push("e2e/moves:1", List.of(small("after")));
        String after = images.pull(reference);
        assertThat(after).isNotEqualTo(before);
        assertThat(images.find(reference).orElseThrow().getId()).isEqualTo(after);
        Image old = images.find(before).orElseThrow();
        assertThat(old.getRepoTagsList()).isEmpty();
        assertThat(old.getRepoDigestsList()).hasSize(1);
    }

    @Test
    void removalsAtTheSameTimeAllSucceed() throws InterruptedException {
        registry.push("e2e/removed:1", List.of(small("removed")));
        String reference = registry.address() + "/e2e/removed:1";
        images.pull(reference);
        atOnce(
                6,
                () -> {
                    images.remove(reference);
                    return "";
                });
        assertThat(images.find(reference)).isEmpty();
    }

    @Test
    void aFilterFindsOneImage() {
        Peers.differ(node, "containerd ignores the filter");
        registry.push("e2e/filtered:1", List.of(small("filtered")));
        String reference = registry.address() + "/e2e/filtered:1";
        String id = images.pull(reference);
        assertThat(images.list(reference)).singleElement().matches(i -> i.getId().equals(id));
        assertThat(images.list(id)).singleElement().matches(i -> i.getId().equals(id));
        assertThat(images.list(registry.address() + "/e2e/none:1")).isEmpty();
    }

    @Test
    void theUserOfAnImageIsTold() {
        registry.push("e2e/user:number", List.of(small("u").with("User", "33:34")));
        registry.push("e2e/user:name", List.of(small("u").with("User", "www-data")));
        registry.push("e2e/user:none", List.of(small("u")));
        Image number = pulled("e2e/user:number");
        assertThat(number.getUid().getValue()).isEqualTo(33);
        assertThat(number.getUsername()).isEmpty();
        Image name = pulled("e2e/user:name");
        assertThat(name.getUsername()).isEqualTo("www-data");
        assertThat(name.hasUid()).isFalse();
        Image none = pulled("e2e/user:none");
        assertThat(none.getUid().getValue()).isZero();
        Peers.differ(node, "containerd 1.6 tells no user when the image names none");
        assertThat(none.hasUid()).isTrue();
    }

    @Test
    void theFileSystemOfImagesIsMeasured() {
        // containerd adds up every ten seconds.
        Duration wait = node.runtime().isOurs() ? Duration.ZERO : Duration.ofSeconds(12);
        pause(wait);
        long bytes = images.fileSystem().getUsedBytes().getValue();
        long inodes = images.fileSystem().getInodesUsed().getValue();
        assertThat(bytes).isPositive();
        assertThat(inodes).isPositive();
        assertThat(images.fileSystem().getTimestamp()).isPositive();
        assertThat(Path.of(images.fileSystem().getFsId().getMountpoint())).exists();
        registry.push("e2e/large:1", List.of(large("measured")));
        images.pull(registry.address() + "/e2e/large:1");
        pause(wait);
        assertThat(images.fileSystem().getUsedBytes().getValue())
                .isBetween(bytes + LARGE_BYTES, bytes + 3L * LARGE_BYTES);
        assertThat(images.fileSystem().getInodesUsed().getValue()).isGreaterThan(inodes);
    }

    @Test
    void whatDoesNotExistIsNotFound() {
        registry.push("e2e/there:1", List.of(small("there")));
        assertThat(images.find(registry.address() + "/e2e/not-there:1")).isEmpty();
        images.remove(registry.address() + "/e2e/not-there:1");
        for (String name : List.of("/e2e/there:2", "/e2e/not-there:1")) {
            assertThatThrownBy(() -> images.pull(registry.address() + name))
                    .as(name)
                    .isInstanceOfSatisfying(
                            StatusRuntimeException.class,
                            e ->
                                    assertThat(e.getStatus().getCode())
                                            .isEqualTo(Status.Code.NOT_FOUND))
                    .hasMessageContaining(name);
        }
        assertThatThrownBy(() ->
                        images.pull(registry.address() + "/e2e/there@sha256:" + "0".repeat(64)))
                .isInstanceOf(StatusRuntimeException.class);
    }

    @Test
    void aWrongNameIsRefused() {
        for (String name : List.of("", "UPPER/case:1", "a b", "127.0.0.1:5000/x:tag:tag")) {
            assertThatThrownBy(() -> images.pull(name))
                    .as(name)
                    .isInstanceOf(StatusRuntimeException.class);
        }
    }

    @Test
    void anUnreachableRegistryIsTold() {
        Peers.differ(node, "containerd 1.6 knows no RegistryUnavailable");
        String nowhere = "127.0.0.1:" + network.freePort();
        assertUnavailable(() -> images.pull(nowhere + "/e2e/x:1"), nowhere);
        faulty.script(_ -> new FaultyRegistry.Answer(503, Map.of()));
        assertUnavailable(() -> images.pull(faulty.address() + "/e2e/x:1"), faulty.address());
    }

    @Test
    void manyPullsOfOneImageAreOneDownload() throws InterruptedException {
        OciImage image = large("concurrent");
        registry.push("e2e/concurrent:1", List.of(image));
        AtomicInteger layers = new AtomicInteger();
        String blob = "GET /v2/e2e/concurrent/blobs/" + image.layers().getFirst().blob().digest();
        faulty.script(request -> {
            if (request.startsWith(blob)) {
                layers.incrementAndGet();
            }
            return new FaultyRegistry.None();
        });
        List<String> ids = atOnce(8, () -> images.pull(faulty.address() + "/e2e/concurrent:1"));
        assertThat(ids).containsOnly(ids.getFirst());
        assertThat(images.find(ids.getFirst())).isPresent();
        Peers.differ(node, "containerd 1.6 may fetch a layer more than once");
        assertThat(layers).hasValue(1);
        faulty.behave();
        images.pull(faulty.address() + "/e2e/concurrent:1");
        assertThat(faulty.requests()).noneMatch(request -> request.contains("/blobs/"));
    }

    @Test
    void aDeadlineEndsTheCallAndTheNextOneGetsTheImage() {
        OciImage image = large("slow");
        registry.push("e2e/slow:1", List.of(image));
        String blob = "/blobs/" + image.layers().getFirst().blob().digest();
        faulty.script(request ->
                request.endsWith(blob)
                        ? new FaultyRegistry.Drip(LARGE_BYTES / 2, 20)
                        : new FaultyRegistry.None());
        String reference = faulty.address() + "/e2e/slow:1";
        long begin = System.nanoTime();
        assertThatThrownBy(() -> images.pull(reference, Duration.ofSeconds(1)))
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e ->
                                assertThat(e.getStatus().getCode())
                                        .isEqualTo(Status.Code.DEADLINE_EXCEEDED));
        assertThat(Duration.ofNanos(System.nanoTime() - begin)).isLessThan(Duration.ofSeconds(3));
        assertThat(images.find(reference)).isEmpty();
        assertThat(images.list()).noneMatch(i -> i.getId().endsWith(image.config().hex()));
        faulty.behave();
        images.pull(reference);
        Peers.differ(node, "containerd ends the download and begins another");
        assertThat(faulty.requests()).as("joined the download").noneMatch(r -> r.endsWith(blob));
    }

    @Test
    void whoGivesUpHurtsNobodyElse() throws InterruptedException, ExecutionException {
        OciImage image = large("shared");
        registry.push("e2e/shared:1", List.of(image));
        String config = image.config().hex();
        faulty.script(request ->
                request.contains("/blobs/") && !request.contains(config)
                        ? new FaultyRegistry.Drip(LARGE_BYTES - 100, 3)
                        : new FaultyRegistry.None());
        String reference = faulty.address() + "/e2e/shared:1";
        try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<String> patient = executor.submit(() -> images.pull(reference));
            assertThatThrownBy(() -> images.pull(reference, Duration.ofMillis(500)))
                    .isInstanceOf(StatusRuntimeException.class);
            assertThat(patient.get()).isEqualTo(images.find(reference).orElseThrow().getId());
        }
    }

    @Test
    void aBrokenTransferGoesOnWhereItBroke() {
        OciImage image = large("broken");
        registry.push("e2e/broken:1", List.of(image));
        String blob = "/blobs/" + image.layers().getFirst().blob().digest();
        AtomicInteger attempts = new AtomicInteger();
        faulty.script(request ->
                request.endsWith(blob) && attempts.getAndIncrement() == 0
                        ? new FaultyRegistry.Cut(LARGE_BYTES / 2)
                        : new FaultyRegistry.None());
        String reference = faulty.address() + "/e2e/broken:1";
        images.pull(reference);
        assertThat(attempts).hasValue(2);
        assertThat(images.find(reference)).isPresent();
    }

    @Test
    void aBitThatFlipsOnTheWayIsNoticed() {
        OciImage image = large("flipped");
        registry.push("e2e/flipped:1", List.of(image));
        String blob = "/blobs/" + image.layers().getFirst().blob().digest();
        faulty.script(request ->
                request.endsWith(blob)
                        ? new FaultyRegistry.Flip(LARGE_BYTES / 2)
                        : new FaultyRegistry.None());
        String reference = faulty.address() + "/e2e/flipped:1";
        assertThatThrownBy(() -> images.pull(reference))
                .isInstanceOf(StatusRuntimeException.class)
                .hasMessageMatching("(?s).*(digest|damaged).*");
        assertThat(images.find(reference)).isEmpty();
        Peers.differ(node, "containerd 1.6 keeps the damaged bytes and fails on them again");
        faulty.behave();
        images.pull(reference);
    }

    @Test
    void aHardLinkMayLeadToALowerLayer() {
        Peers.differ(node, "containerd 1.6 unpacks each layer by itself and finds no such file");
        Layer second = Layer.of(tar -> tar.directory("data", 0755).file("data/kept", "kept"));
        Layer third = Layer.of(tar -> tar.hardLink("data/linked", "data/kept"));
        registry.push(
                "e2e/linked:1",
                List.of(OciImage.of(List.of("sh"), Layer.of(busybox), second, third)));
        String reference = registry.address() + "/e2e/linked:1";
        images.pull(reference);
        TestPod pod = TestPod.run(node);
        assertThat(
                        pod.output(
                                pod.shell(
                                                "links",
                                                "cat /data/linked; echo; stat -c '%i %h' /data/linked /data/kept | uniq")
                                        .setImage(ImageSpec.newBuilder().setImage(reference))))
                .containsPattern("^kept\\n\\d+ 2\\n$");
    }

    @Test
    void aPathMayLeadThroughALowerLayersLink() {
        Peers.differ(node, "containerd 1.6 hides the link by a directory; umoci follows it");
        Layer second =
                Layer.of(tar ->
                        tar.directory("usr/lib", 0755)
                                .symbolicLink("lib", "usr/lib")
                                .symbolicLink("lib64", "/usr/lib"));
        Layer third = Layer.of(tar -> tar.file("lib/one", "one").file("lib64/two", "two"));
        registry.push(
                "e2e/through:1",
                List.of(OciImage.of(List.of("sh"), Layer.of(busybox), second, third)));
        String reference = registry.address() + "/e2e/through:1";
        images.pull(reference);
        TestPod pod = TestPod.run(node);
        assertThat(
                        pod.output(
                                pod.shell("links", "readlink /lib; readlink /lib64; ls /usr/lib")
                                        .setImage(ImageSpec.newBuilder().setImage(reference))))
                .isEqualTo("usr/lib\n/usr/lib\none\ntwo\n");
    }

    @Test
    void layersAreAppliedInOrderWithTheirWhiteouts() {
        Layer second =
                Layer.of(tar ->
                        tar.directory("data", 0755)
                                .file("data/gone", "gone")
                                .file("data/kept", "kept")
                                .directory("data/emptied", 0755)
                                .file("data/emptied/old", "old")
                                .directory("opaque", 0755)
                                .file("opaque/old", "old")
                                .file("becomes-directory", "file")
                                .directory("becomes-file", 0755)
                                .file("becomes-file/inside", "inside")
                                .modified(1_600_000_000)
                                .owner(33, 34)
                                .file("data/owned", "owned".getBytes(UTF), 04751)
                                .directory("data/sticky", 01777));
        Layer third =
                Layer.of(tar ->
                        tar.file("data/.wh.gone", "")
                                .file("data/emptied/.wh.old", "")
                                .directory("opaque", 0700)
                                .file("opaque/.wh..wh..opq", "")
                                .file("opaque/new", "new")
                                .file(".wh.becomes-directory", "")
                                .directory("becomes-directory", 0755)
                                .file("becomes-directory/inside", "inside")
                                .file("becomes-file", "file now")
                                .file("n".repeat(200) + "/" + "m".repeat(200), "long"));
        registry.push(
                "e2e/layers:1",
                List.of(OciImage.of(List.of("sh"), Layer.of(busybox), second, third)));
        String reference = registry.address() + "/e2e/layers:1";
        images.pull(reference);
        TestPod pod = TestPod.run(node);
        String script =
                """
                ls -A /data /data/emptied /opaque /becomes-directory
                cat /becomes-file /n*/m*
                echo
                stat -c '%n %a %u:%g %s %Y' /data/owned /data/sticky
                stat -c '%n %a' /opaque
                """;
        assertThat(
                        pod.output(
                                pod.shell("layers", script)
                                        .setImage(ImageSpec.newBuilder().setImage(reference))))
                .isEqualTo(
                        """
                        /becomes-directory:
                        inside

                        /data:
                        emptied
                        kept
                        owned
                        sticky

                        /data/emptied:

                        /opaque:
                        new
                        file nowlong
                        /data/owned 4751 33:34 5 1600000000
                        /data/sticky 1777 33:34 4096 1600000000
                        /opaque 700
                        """);
    }

    @Test
    void theSettingsOfAnImageReachTheProcess() {
        registry.push(
                "e2e/settings:1",
                List.of(
                        OciImage.of(List.of("from the image"), Layer.of(busybox))
                                .with(
                                        "Entrypoint",
                                        List.of("sh", "-c", "echo $0 $FROM; pwd; id -u; id -g"))
                                .with("Env", List.of("PATH=/bin", "FROM=env"))
                                .with("WorkingDir", "/var/www")
                                .with("User", "www-data")));
        String reference = registry.address() + "/e2e/settings:1";
        images.pull(reference);
        TestPod pod = TestPod.run(node);
        assertThat(
                        pod.output(
                                pod.shell("settings", "")
                                        .clearCommand()
                                        .setImage(ImageSpec.newBuilder().setImage(reference))))
                .isEqualTo("from the image env\n/var/www\n33\n33\n");
        assertThat(
                        pod.output(
                                pod.shell("arguments", "")
                                        .clearCommand()
                                        .addArgs("from the pod")
                                        .setImage(ImageSpec.newBuilder().setImage(reference))))
                .startsWith("from the pod env\n");
    }

    @Test
    void aCrashDuringAPullLeavesNoHalfImage() throws InterruptedException {
        OciImage image = large("crash");
        registry.push("e2e/crash:1", List.of(image));
        String blob = "/blobs/" + image.layers().getFirst().blob().digest();
        faulty.script(request ->
                request.endsWith(blob)
                        ? new FaultyRegistry.Drip(LARGE_BYTES - 10_000, 20)
                        : new FaultyRegistry.None());
        String reference = faulty.address() + "/e2e/crash:1";
        Thread victim =
                Thread.ofVirtual()
                        .start(() -> {
                            try {
                                images.pull(reference);
                            } catch (StatusRuntimeException e) {
                                // Its daemon was killed.
                            }
                        });
        while (faulty.requests().stream().noneMatch(request -> request.endsWith(blob))) {
            pause(Duration.ofMillis(20));
        }
        pause(Duration.ofMillis(200));
        node.kill();
        victim.join();
        node.startDaemon();
        assertThat(images.find(reference)).isEmpty();
        assertThat(images.list()).noneMatch(i -> i.getId().endsWith(image.config().hex()));
        faulty.behave();
        String id = images.pull(reference);
        assertThat(images.find(reference).orElseThrow().getId()).isEqualTo(id);
    }

    @Test
    void anImageOutlivesTheDaemon() {
        registry.push("e2e/outlives:1", List.of(small("outlives")));
        String reference = registry.address() + "/e2e/outlives:1";
        String id = images.pull(reference);
        Image before = images.find(reference).orElseThrow();
        node.kill();
        node.startDaemon();
        assertThat(images.find(id)).contains(before);
    }

    private static final java.nio.charset.Charset UTF = java.nio.charset.StandardCharsets.UTF_8;

    private static OciImage small(String content) {
        return OciImage.of(List.of("sh"), text("content", content));
    }

    private static Layer text(String name, String content) {
        return Layer.of(tar -> tar.file(name, content));
    }

    /** One layer that hardly compresses. */
    private static OciImage large(String content) {
        byte[] noise = new byte[LARGE_BYTES];
        new Random(content.hashCode()).nextBytes(noise);
        return OciImage.of(
                List.of("sh"), Layer.of(tar -> tar.file("noise", noise, 0644)), text("t", content));
    }

    private static Image pulled(String name) {
        return images.find(images.pull(registry.address() + "/" + name)).orElseThrow();
    }

    private static String fileIn(String image, String path) {
        TestPod pod = TestPod.run(node);
        return pod.output(
                        pod.shell("reader", "cat " + path)
                                .setImage(ImageSpec.newBuilder().setImage(image)))
                .strip();
    }

    private static void assertUnavailable(
            org.assertj.core.api.ThrowableAssert.ThrowingCallable call, String registryAddress) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        StatusRuntimeException.class,
                        e -> {
                            assertThat(e.getStatus().getCode()).isEqualTo(Status.Code.UNKNOWN);
                            assertThat(e.getStatus().getDescription())
                                    .startsWith("RegistryUnavailable")
                                    .contains(registryAddress);
                        });
    }

    private static <T> List<T> atOnce(int times, Callable<T> action) throws InterruptedException {
        try (ExecutorService executor = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<T>> results = new ArrayList<>();
            for (int i = 0; i < times; i++) {
                results.add(executor.submit(action));
            }
            List<T> values = new ArrayList<>();
            for (Future<T> result : results) {
                values.add(result.get());
            }
            return values;
        } catch (ExecutionException e) {
            throw new AssertionError(e.getCause());
        }
    }

    private static void pause(Duration duration) {
        try {
            TimeUnit.NANOSECONDS.sleep(duration.toNanos());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException(e);
        }
    }
}
