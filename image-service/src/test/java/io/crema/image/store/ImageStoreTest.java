package io.crema.image.store;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.crema.base.CremaException;
import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.base.ImageId;
import io.crema.image.Image;
import io.crema.image.ImageException;
import io.crema.image.Images.Credentials;
import io.crema.image.Images.Usage;
import io.crema.image.layer.ContentHash;
import io.crema.image.layer.DiskUsage;
import io.crema.image.layer.TarBytes;
import io.crema.image.layer.TreeListing;
import io.crema.image.layer.UnpackLimits;
import io.crema.image.registry.ContentDescriptor;
import io.crema.image.registry.MediaTypes;
import io.crema.image.registry.MemoryRegistry;
import io.crema.image.registry.MemoryRegistry.Layer;
import io.crema.image.registry.ResolvedImage;
import io.crema.image.trust.ImageTrust;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxFiles.FileStatus;
import io.crema.oci.linux.LinuxMounts.UnmountFlag;
import io.crema.oci.linux.jna.JnaLinux;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Tag("root")
@Timeout(120)
final class ImageStoreTest {
    private static final Linux LINUX = JnaLinux.load();
    private static final Deadline SOON = Deadline.after(Duration.ofMinutes(5));

    @TempDir Path directory;
    private final MemoryRegistry registry = new MemoryRegistry();
    private final List<ImageStore> open = new ArrayList<>();
    private final List<Path> mounts = new ArrayList<>();

    @AfterEach
    void cleanUp() {
        mounts.forEach(mount -> LINUX.unmount(mount, Set.of(UnmountFlag.DETACH)));
        open.forEach(ImageStore::close);
    }

    // ---- helpers ----

    private Path root() {
        return directory.resolve("store");
    }

    private ImageStore store() {
        return store(options());
    }

    private StoreOptions options() {
        return StoreOptions.at(root(), List.of("registry.test/pinned*"));
    }

    private ImageStore store(StoreOptions options) {
        ImageStore store = new ImageStore(options, LINUX, registry);
        open.add(store);
        return store;
    }

    private ImageStore reopen(ImageStore store) {
        close(store);
        return store();
    }

    private void close(ImageStore store) {
        open.remove(store);
        store.close();
    }

    private static Layer gzip(byte[] tar) {
        return new Layer(tar, TarBytes.gzip(tar));
    }

    private static Layer fileLayer(String name, String content) {
        return gzip(new TarBytes().file(name, content).end());
    }

    private static Image pull(ImageStore store, String name) {
        return store.pull(name, Credentials.none(), SOON);
    }

    /** Begins a pull on a thread of its own. */
    private static CompletableFuture<Image> pulling(
            ImageStore store, String name, Deadline deadline) {
        CompletableFuture<Image> result = new CompletableFuture<>();
        Thread.ofVirtual()
                .start(() -> {
                    try {
                        result.complete(store.pull(name, Credentials.none(), deadline));
                    } catch (CremaException e) {
                        result.completeExceptionally(e);
                    }
                });
        return result;
    }

    private static List<String> names(Path of) throws IOException {
        try (Stream<Path> files = Files.list(of)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    private List<String> layerKeys() throws IOException {
        List<String> keys = new ArrayList<>(names(root().resolve("layers")));
        keys.remove("empty");
        return keys;
    }

    private static void await(String what, BooleanSupplier condition) throws InterruptedException {
        Deadline deadline = Deadline.after(Duration.ofSeconds(20));
        while (!condition.getAsBoolean()) {
            deadline.check(what);
            Thread.sleep(5);
        }
    }

    private void awaitEmptyIngest() throws InterruptedException {
        await(
                "an empty ingest directory",
                () -> {
                    try {
                        return names(root().resolve("ingest")).isEmpty();
                    } catch (IOException e) {
                        throw new AssertionError(e);
                    }
                });
    }

    private Path mount(ImageStore store, Image image) throws IOException {
        Path container = Files.createTempDirectory(directory, "container");
        Path target = Files.createDirectory(container.resolve("rootfs"));
        store.mountRootFileSystem(
                image,
                Files.createDirectory(container.resolve("upper")),
                Files.createDirectory(container.resolve("work")),
                target,
                "");
        mounts.add(target);
        return target;
    }

    private static FileStatus status(Path file) {
        return LINUX.status(file, false).orElseThrow(() -> new AssertionError(file + " is absent"));
    }

    // ---- identity ----

    @Test
    void anImageIsFoundByEveryNameOfIts() throws Exception {
        Layer layer = fileLayer("hello", "world");
        ResolvedImage served =
                registry.serve(
                        "registry.test/team/app:1",
                        "\"User\":\"1000:50\",\"Env\":[\"A=b\"],\"Cmd\":[\"/bin/app\"],"
                                + "\"Volumes\":{\"/data\":{}},\"Labels\":{\"l\":\"m\"}",
                        List.of(layer));
        ImageStore store = store();
        Image image = pull(store, "registry.test/team/app:1");

        String id = served.image().config().digest().hex();
        assertThat(image.id().value()).isEqualTo(id);
        assertThat(image.repoTags()).containsExactly("registry.test/team/app:1");
        assertThat(image.repoDigests())
                .containsExactly("registry.test/team/app@" + served.digest());
        assertThat(image.sizeBytes())
                .isEqualTo(layer.compressed().length + served.image().config().sizeBytes());
        assertThat(image.createdAt()).isEqualTo(Instant.parse("2026-01-02T03:04:05Z"));
        assertThat(image.configuration().user()).isEqualTo("1000:50");
        assertThat(image.configuration().environment()).containsExactly("A=b");
        assertThat(image.configuration().command()).containsExactly("/bin/app");
        assertThat(image.configuration().volumes()).containsExactly("/data");
        assertThat(image.configuration().labels()).containsEntry("l", "m");
        assertThat(image.layerDirectories())
                .containsExactly(
                        root().resolve("layers")
                                .resolve(ContentHash.of(layer.plain()).hex())
                                .resolve("fs"));

        for (String name :
                List.of(
                        id,
                        "sha256:" + id,
                        id.substring(0, 12),
                        "sha256:" + id.substring(0, 12),
                        "registry.test/team/app:1",
                        "team/app:1",
                        "registry.test/team/app@" + served.digest(),
                        "registry.test/team/app:other@" + served.digest())) {
            assertThat(store.find(name)).as(name).contains(image);
        }
        for (String name :
                List.of(
                        "registry.test/team/app",
                        "registry.test/team/app:2",
                        "registry.test/team/app@" + ContentHash.of(new byte[0]),
                        "registry.test/other/app:1",
                        "0".repeat(64),
                        "ab",
                        "not a name")) {
            assertThat(store.find(name)).as(name).isEmpty();
        }
        assertThat(store.list()).containsExactly(image);
        assertThat(reopen(store).list()).containsExactly(image);
    }

    @Test
    void namesAreGatheredUnderOneIdAndMoveWithTheTag() throws Exception {
        Layer layer = fileLayer("x", "1");
        registry.serve("registry.test/app:1", "", List.of(layer));
        registry.serve("registry.test/copy:1", "", List.of(layer));
        ImageStore store = store();
        Image first = pull(store, "registry.test/app:1");
        int fetched = registry.opens(layer.digest());
        Image same = pull(store, "registry.test/copy:1");
        assertThat(same.id()).isEqualTo(first.id());
        assertThat(same.repoTags()).containsExactly("registry.test/app:1", "registry.test/copy:1");
        assertThat(registry.opens(layer.digest())).isEqualTo(fetched);

        registry.serve("registry.test/app:1", "", List.of(fileLayer("x", "2")));
        Image moved = pull(store, "registry.test/app:1");
        assertThat(moved.id()).isNotEqualTo(first.id());
        assertThat(store.find("registry.test/app:1")).contains(moved);
        assertThat(store.find(first.id().value()).orElseThrow().repoTags())
                .containsExactly("registry.test/copy:1");
        ImageStore again = reopen(store);
        assertThat(again.find("registry.test/app:1").orElseThrow().id()).isEqualTo(moved.id());
        assertThat(again.list()).hasSize(2);
    }

    @Test
    void aPullByDigestGivesNoTag() {
        ResolvedImage served =
                registry.serve("registry.test/app:1", "", List.of(fileLayer("x", "1")));
        String name = "registry.test/app@" + served.digest();
        Image image = pull(store(), name);
        assertThat(image.repoTags()).isEmpty();
        assertThat(image.repoDigests()).containsExactly(name);
    }

    @Test
    void patternsPin() {
        registry.serve("registry.test/pinned-base:1", "", List.of(fileLayer("x", "1")));
        registry.serve("registry.test/other:1", "", List.of(fileLayer("x", "2")));
        ImageStore store = store();
        assertThat(pull(store, "registry.test/pinned-base:1").pinned()).isTrue();
        assertThat(pull(store, "registry.test/other:1").pinned()).isFalse();
        PinnedNames names = new PinnedNames(List.of("exact:1", "Pre*", "*mid*", "*end", " "));
        assertThat(names.anyOf(List.of("EXACT:1"))).isTrue();
        assertThat(names.anyOf(List.of("exact:12"))).isFalse();
        assertThat(names.anyOf(List.of("prefix"))).isTrue();
        assertThat(names.anyOf(List.of("a-mid-b"))).isTrue();
        assertThat(names.anyOf(List.of("the-end"))).isTrue();
        assertThat(names.anyOf(List.of("other"))).isFalse();
    }

    // ---- on disk ----

    @Test
    void theStoreIsAnOciLayoutOfManifests() throws Exception {
        ResolvedImage served =
                registry.serve("registry.test/app:1", "", List.of(fileLayer("x", "1")));
        pull(store(), "registry.test/app:1");
        assertThat(root().resolve("oci-layout")).hasContent("{\"imageLayoutVersion\":\"1.0.0\"}\n");
        assertThat(root().resolve("blobs/sha256").resolve(served.digest().hex()))
                .hasBinaryContent(served.manifest().content());
        Process skopeo =
                new ProcessBuilder(
                                "skopeo",
                                "inspect",
                                "--raw",
                                "oci:" + root() + ":registry.test/app:1")
                        .redirectErrorStream(true)
                        .start();
        assertThat(skopeo.getInputStream().readAllBytes()).isEqualTo(served.manifest().content());
        assertThat(skopeo.waitFor()).isZero();
        assertThat(ImageStore.manifests(root()).find(served.digest()))
                .hasValue(served.manifest().content());
    }

    @Test
    void usageIsWhatDuSays() throws Exception {
        List<Layer> layers = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            TarBytes tar = new TarBytes().directory("d" + i, 0755);
            for (int j = 0; j < 100; j++) {
                tar.file("d" + i + "/f" + j, 0644, new byte[j * 300]);
            }
            layers.add(gzip(tar.end()));
        }
        registry.serve("registry.test/a:1", "", layers);
        registry.serve("registry.test/b:1", "", layers.subList(0, 2));
        ImageStore store = store();
        pull(store, "registry.test/a:1");
        pull(store, "registry.test/b:1");
        Usage usage = store.imageUsage();
        DiskUsage measured = DiskUsage.of(LINUX, root());
        assertThat(usage.mountPoint()).isEqualTo(root());
        assertThat((double) usage.usedBytes())
                .isBetween(measured.bytes() * 0.97, measured.bytes() * 1.01);
        assertThat((double) usage.inodesUsed())
                .isBetween(measured.inodes() * 0.95, measured.inodes() * 1.01);
        assertThat(store.usage(root().resolve("images")).inodesUsed()).isEqualTo(3);
        assertThat(reopen(store).imageUsage()).isEqualTo(usage);
    }

    @Test
    void onlyOneProcessUsesARoot() {
        store();
        assertThatThrownBy(this::store)
                .isInstanceOf(ImageException.class)
                .hasMessageContaining("another process uses the images at " + root());
    }

    // ---- removing ----

    @Test
    void removingTakesAllNamesAndUnsharedLayers() throws Exception {
        Layer shared = fileLayer("base", "x");
        Layer own = fileLayer("own", "y");
        registry.serve("registry.test/base:1", "", List.of(shared));
        registry.serve("registry.test/app:1", "", List.of(shared, own));
        registry.serve("registry.test/alias:1", "", List.of(shared, own));
        ImageStore store = store();
        Image base = pull(store, "registry.test/base:1");
        Image app = pull(store, "registry.test/app:1");
        pull(store, "registry.test/alias:1");
        long before = store.imageUsage().usedBytes();

        store.remove("registry.test/alias:1");

        assertThat(store.find("registry.test/app:1")).isEmpty();
        assertThat(store.find(app.id().value())).isEmpty();
        assertThat(store.list()).containsExactly(base);
        assertThat(store.imageUsage().usedBytes()).isLessThan(before);
        assertThat(layerKeys()).containsExactly(ContentHash.of(shared.plain()).hex());
        awaitEmptyIngest();
        assertThat(names(root().resolve("blobs/sha256"))).hasSize(2);
        store.remove("registry.test/alias:1");
        store.remove(app.id().value());

        ImageStore again = reopen(store);
        assertThat(again.list()).containsExactly(base);
        int fetched = registry.opens(shared.digest());
        assertThat(pull(again, "registry.test/app:1").id()).isEqualTo(app.id());
        assertThat(registry.opens(shared.digest())).isEqualTo(fetched);
        again.remove(base.id().value());
        again.remove("registry.test/app:1");
        assertThat(again.list()).isEmpty();
        assertThat(layerKeys()).isEmpty();
        assertThat(names(root().resolve("images"))).isEmpty();
        // The store's own directories are left.
        assertThat(again.imageUsage().usedBytes()).isLessThan(64 << 10);
        awaitEmptyIngest();
    }

    @Test
    void anImageInUseIsNotRemoved() {
        registry.serve("registry.test/app:1", "", List.of(fileLayer("x", "1")));
        ImageStore store = store();
        Image image = pull(store, "registry.test/app:1");
        store.use(image.id(), "container-b");
        store.use(image.id(), "container-a");
        store.use(image.id(), "container-a");
        ImageException refusal =
                catchThrowableOfType(
                        ImageException.class, () -> store.remove("registry.test/app:1"));
        assertThat(refusal.kind()).isEqualTo(ErrorKind.FAILED_PRECONDITION);
        assertThat(refusal).hasMessageContaining("container-a, container-b");
        store.release("container-a");
        store.release("container-a");
        assertThatThrownBy(() -> store.remove(image.id().value()))
                .hasMessageContaining("container container-b");
        store.release("container-b");
        store.remove("registry.test/app:1");
        assertThat(store.list()).isEmpty();
        assertThatThrownBy(() -> store.use(image.id(), "container-a"))
                .hasMessageContaining("not on this node");
    }

    // ---- several at once ----

    @Test
    void identicalPullsAreOneAndNobodyIsHurtByWhoLeaves() throws Exception {
        Layer layer = fileLayer("x", "1");
        registry.serve("registry.test/app:1", "", List.of(layer));
        registry.hold(layer.digest());
        ImageStore store = store();
        List<CompletableFuture<Image>> patient = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            patient.add(pulling(store, "registry.test/app:1", SOON));
        }
        registry.awaitOpened(layer.digest());
        CompletableFuture<Image> hasty =
                pulling(store, "registry.test/app:1", Deadline.after(Duration.ofMillis(50)));
        Throwable left = catchThrowable(() -> hasty.get(20, TimeUnit.SECONDS));
        assertThat(left).hasCauseInstanceOf(DeadlineExceededException.class);

        CompletableFuture<Throwable> cancelled = new CompletableFuture<>();
        CountDownLatch entered = new CountDownLatch(1);
        Thread caller =
                Thread.ofVirtual()
                        .start(() -> {
                            entered.countDown();
                            cancelled.complete(
                                    catchThrowable(() -> pull(store, "registry.test/app:1")));
                        });
        entered.await();
        caller.interrupt();
        assertThat(((ImageException) cancelled.get(20, TimeUnit.SECONDS)).kind())
                .isEqualTo(ErrorKind.CANCELLED);

        registry.release(layer.digest());
        for (CompletableFuture<Image> waiting : patient) {
            assertThat(waiting.get(20, TimeUnit.SECONDS)).isEqualTo(store.list().getFirst());
        }
        assertThat(registry.opens(layer.digest())).isEqualTo(1);
        assertThat(registry.resolutions()).isEqualTo(1);
    }

    @Test
    void aPullThatEverybodyLeftGoesOnForARepeatedRequest() throws Exception {
        Layer layer = fileLayer("x", "1");
        registry.serve("registry.test/app:1", "", List.of(layer));
        registry.hold(layer.digest());
        ImageStore store = store();
        CompletableFuture<Image> first =
                pulling(store, "registry.test/app:1", Deadline.after(Duration.ofMillis(50)));
        assertThat(catchThrowable(() -> first.get(20, TimeUnit.SECONDS))).isNotNull();
        registry.awaitOpened(layer.digest());
        CompletableFuture<Image> second = pulling(store, "registry.test/app:1", SOON);
        registry.release(layer.digest());
        assertThat(second.get(20, TimeUnit.SECONDS)).isNotNull();
        assertThat(registry.opens(layer.digest())).isEqualTo(1);
    }

    @Test
    void aPullThatNobodyComesBackToIsCancelled() throws Exception {
        Layer layer = fileLayer("x", "1");
        registry.serve("registry.test/app:1", "", List.of(layer));
        registry.hold(layer.digest());
        ImageStore store =
                store(
                        new StoreOptions(
                                root(),
                                List.of(),
                                UnpackLimits.defaults(),
                                3,
                                true,
                                Duration.ZERO,
                                ImageTrust.ofAll(),
                                false,
                                Duration.ofMillis(20),
                                Clock.systemUTC()));
        CompletableFuture<Image> left =
                pulling(store, "registry.test/app:1", Deadline.after(Duration.ofMillis(200)));
        registry.awaitOpened(layer.digest());
        assertThat(catchThrowable(() -> left.get(20, TimeUnit.SECONDS))).isNotNull();
        awaitEmptyIngest();
        registry.release(layer.digest());
        assertThat(pull(store, "registry.test/app:1")).isNotNull();
        assertThat(registry.opens(layer.digest())).isEqualTo(2);
    }

    @Test
    void imagesThatShareALayerShareItsDownload() throws Exception {
        Layer shared = fileLayer("base", "x");
        registry.serve("registry.test/a:1", "\"User\":\"1\"", List.of(shared, fileLayer("a", "a")));
        registry.serve("registry.test/b:1", "\"User\":\"2\"", List.of(fileLayer("b", "b"), shared));
        registry.hold(shared.digest());
        ImageStore store = store();
        CompletableFuture<Image> a = pulling(store, "registry.test/a:1", SOON);
        registry.awaitOpened(shared.digest());
        CompletableFuture<Image> b = pulling(store, "registry.test/b:1", SOON);
        registry.awaitOpened(fileLayer("b", "b").digest());
        registry.release(shared.digest());
        a.get(20, TimeUnit.SECONDS);
        b.get(20, TimeUnit.SECONDS);
        assertThat(registry.opens(shared.digest())).isEqualTo(1);
        assertThat(layerKeys()).hasSize(3);
    }

    @Test
    void aLayerOutlivesThePullThatBeganItWhenAnotherWantsIt() throws Exception {
        Layer shared = fileLayer("base", "x");
        Layer broken = fileLayer("a", "a");
        registry.serve("registry.test/a:1", "", List.of(shared, broken));
        registry.serve("registry.test/b:1", "", List.of(shared));
        registry.falsify(broken.digest(), fileLayer("other", "bytes").compressed());
        registry.hold(shared.digest());
        registry.hold(broken.digest());
        ImageStore store = store();
        CompletableFuture<Image> a = pulling(store, "registry.test/a:1", SOON);
        registry.awaitOpened(broken.digest());
        CompletableFuture<Image> b = pulling(store, "registry.test/b:1", SOON);
        registry.awaitOpened(shared.digest());
        registry.release(broken.digest());
        registry.release(shared.digest());
        assertThat(catchThrowable(() -> a.get(20, TimeUnit.SECONDS))).isNotNull();
        assertThat(b.get(20, TimeUnit.SECONDS).repoTags()).containsExactly("registry.test/b:1");
        assertThat(store.list()).hasSize(1);
        awaitEmptyIngest();
        assertThat(layerKeys()).containsExactly(ContentHash.of(shared.plain()).hex());
    }

    @Test
    void manyLayersThatLeanOnEachOtherDoNotLockUp() throws Exception {
        // Each layer leaves out its directory, so each waits for all below it; the lowest is held
        // back while all places are taken.
        List<Layer> layers = new ArrayList<>();
        layers.add(gzip(new TarBytes().directory("shared", 0711).end()));
        for (int i = 0; i < 30; i++) {
            layers.add(fileLayer("shared/f" + i, "x"));
        }
        registry.serve("registry.test/a:1", "", layers);
        registry.serve(
                "registry.test/b:1",
                "\"User\":\"2\"",
                Stream.concat(
                                Stream.of(gzip(new TarBytes().directory("shared", 0700).end())),
                                layers.stream().skip(1))
                        .toList());
        registry.hold(layers.getFirst().digest());
        ImageStore store = store();
        CompletableFuture<Image> a = pulling(store, "registry.test/a:1", SOON);
        registry.awaitOpened(layers.getFirst().digest());
        CompletableFuture<Image> b = pulling(store, "registry.test/b:1", SOON);
        registry.awaitOpened(layers.get(1).digest());
        registry.release(layers.getFirst().digest());
        Path inA = mount(store, a.get(60, TimeUnit.SECONDS));
        Path inB = mount(store, b.get(60, TimeUnit.SECONDS));
        assertThat(names(inA.resolve("shared"))).hasSize(30);
        assertThat(names(inB.resolve("shared"))).hasSize(30);
        assertThat(status(inA.resolve("shared")).mode() & 07777).isEqualTo(0711);
        assertThat(status(inB.resolve("shared")).mode() & 07777).isEqualTo(0700);
        assertThat(layerKeys()).hasSize(62);
    }

    // ---- what goes wrong ----

    @Test
    void aHostileImageLeavesNothing() throws Exception {
        Layer fine = fileLayer("fine", "x");
        Layer evil = gzip(new TarBytes().file("../escape", "x").end());
        registry.serve("registry.test/evil:1", "", List.of(fine, evil, fileLayer("more", "x")));
        ImageStore store = store();
        ImageException refusal =
                catchThrowableOfType(
                        ImageException.class, () -> pull(store, "registry.test/evil:1"));
        assertThat(refusal.kind()).isEqualTo(ErrorKind.FAILED_PRECONDITION);
        assertThat(refusal)
                .hasMessageContaining("registry.test/evil:1")
                .hasMessageContaining(evil.digest().toString())
                .hasMessageContaining("'..'");
        assertThat(store.list()).isEmpty();
        awaitEmptyIngest();
        await(
                "no layers",
                () -> {
                    try {
                        return layerKeys().isEmpty();
                    } catch (IOException e) {
                        throw new AssertionError(e);
                    }
                });
        assertThat(root().resolve("escape")).doesNotExist();
    }

    @Test
    void aFullDiskFailsThePullAndNothingElse() throws Exception {
        Path small = Files.createDirectory(directory.resolve("small"));
        LINUX.mount("tmpfs", small, "tmpfs", Set.of(), "size=4m");
        mounts.add(small);
        byte[] noise = new byte[8_000_000];
        new Random(1).nextBytes(noise);
        registry.serve("registry.test/fits:1", "", List.of(fileLayer("x", "1")));
        registry.serve(
                "registry.test/large:1",
                "",
                List.of(gzip(new TarBytes().file("large", 0644, noise).end())));
        ImageStore store = store(StoreOptions.at(small.resolve("store"), List.of()));
        ImageException failure =
                catchThrowableOfType(
                        ImageException.class, () -> pull(store, "registry.test/large:1"));
        assertThat(failure.kind()).isEqualTo(ErrorKind.RESOURCE_EXHAUSTED);
        assertThat(failure)
                .hasMessageContaining("entry 'large'")
                .hasMessageContaining("no space left");
        assertThat(names(small.resolve("store/ingest"))).isEmpty();
        assertThat(pull(store, "registry.test/fits:1")).isEqualTo(store.list().getFirst());
        close(store);
    }

    @Test
    void aConfigurationThatContradictsItsLayersIsRefused() {
        Layer layer = fileLayer("x", "1");
        registry.serve("registry.test/fine:1", "", List.of(layer));
        ContentDescriptor descriptor =
                ContentDescriptor.of(
                        MediaTypes.OCI_LAYER_GZIP, layer.digest(), layer.compressed().length);
        registry.serveWith(
                "registry.test/count:1",
                "{\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[]}}",
                List.of(descriptor));
        registry.serveWith(
                "registry.test/diff:1",
                "{\"os\":\"linux\",\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\""
                        + ContentHash.of(new byte[0])
                        + "\"]}}",
                List.of(descriptor));
        registry.serveWith("registry.test/json:1", "{\"os\":", List.of());
        registry.serveWith("registry.test/twice:1", "{\"os\":\"linux\",\"os\":\"x\"}", List.of());
        registry.serveWith("registry.test/windows:1", "{\"os\":\"windows\"}", List.of());
        ImageStore store = store();
        assertThatThrownBy(() -> pull(store, "registry.test/count:1"))
                .hasMessageContaining("has 1 layers, but its configuration speaks of 0");
        assertThatThrownBy(() -> pull(store, "registry.test/diff:1"))
                .hasMessageContaining("its content has the digest");
        assertThatThrownBy(() -> pull(store, "registry.test/json:1"))
                .hasMessageContaining("is not JSON");
        assertThatThrownBy(() -> pull(store, "registry.test/twice:1"))
                .hasMessageContaining("is not JSON");
        assertThatThrownBy(() -> pull(store, "registry.test/windows:1"))
                .hasMessageContaining("'windows'");
        assertThat(store.list()).isEmpty();
    }

    @Test
    void debrisOfACrashIsDeletedAndWholeLayersAreUsed() throws Exception {
        Layer kept = fileLayer("kept", "x");
        Layer late = fileLayer("late", "y");
        registry.serve("registry.test/app:1", "", List.of(kept, late));
        registry.hold(late.digest());
        ImageStore store = store();
        CompletableFuture<Image> pull = pulling(store, "registry.test/app:1", SOON);
        Path keptLayer = root().resolve("layers").resolve(ContentHash.of(kept.plain()).hex());
        await("the first layer", () -> Files.exists(keptLayer));
        registry.awaitOpened(late.digest());
        close(store);
        assertThat(catchThrowable(() -> pull.get(20, TimeUnit.SECONDS))).isNotNull();
        // What a kill in the middle leaves.
        Path debris = root().resolve("ingest/layer-debris/fs");
        Files.createDirectories(debris);
        Files.writeString(debris.resolve("half"), "written");
        Files.writeString(root().resolve("images/.12.x.json.tmp"), "{");
        Path half = root().resolve("layers").resolve("ab".repeat(32)).resolve("fs");
        Files.createDirectories(half);

        registry.release(late.digest());
        ImageStore again = store();
        awaitEmptyIngest();
        assertThat(half).doesNotExist();
        assertThat(names(root().resolve("images"))).isEmpty();
        assertThat(again.list()).isEmpty();
        assertThat(pull(again, "registry.test/app:1")).isNotNull();
        assertThat(registry.opens(kept.digest())).isEqualTo(1);
        assertThat(registry.opens(late.digest())).isEqualTo(2);
    }

    @Test
    void layersWithoutAnImageDoNotOutliveTheKernelThatWroteThem() throws Exception {
        Layer kept = fileLayer("kept", "x");
        Layer late = fileLayer("late", "y");
        registry.serve("registry.test/app:1", "", List.of(kept, late));
        registry.hold(late.digest());
        ImageStore store = store();
        CompletableFuture<Image> pull = pulling(store, "registry.test/app:1", SOON);
        Path layer = root().resolve("layers").resolve(ContentHash.of(kept.plain()).hex());
        await("the first layer", () -> Files.exists(layer));
        close(store);
        assertThat(catchThrowable(() -> pull.get(20, TimeUnit.SECONDS))).isNotNull();
        Path record = layer.resolve("record.json");
        String boot = Files.readString(Path.of("/proc/sys/kernel/random/boot_id")).strip();
        String content = Files.readString(record);
        assertThat(content).contains(boot);
        Files.writeString(record, content.replace(boot, "another-boot"));
        store();
        assertThat(layer).doesNotExist();
    }

    @Test
    void imagesThatAreNotWholeAreNotListed() throws Exception {
        Layer lost = fileLayer("lost", "x");
        registry.serve("registry.test/lost:1", "", List.of(lost));
        registry.serve("registry.test/garbled:1", "", List.of(fileLayer("garbled", "x")));
        registry.serve("registry.test/fine:1", "", List.of(fileLayer("fine", "x")));
        ImageStore store = store();
        pull(store, "registry.test/lost:1");
        Image garbled = pull(store, "registry.test/garbled:1");
        Image fine = pull(store, "registry.test/fine:1");
        close(store);
        Path layer = root().resolve("layers").resolve(ContentHash.of(lost.plain()).hex());
        Files.move(layer, directory.resolve("elsewhere"));
        Files.writeString(root().resolve("images/" + garbled.id() + ".json"), "{\"version\":1");
        ImageStore again = store();
        assertThat(again.list()).containsExactly(fine);
        assertThat(pull(again, "registry.test/lost:1").layerDirectories())
                .allSatisfy(path -> assertThat(path).isDirectory());
        assertThat(pull(again, "registry.test/garbled:1").id()).isEqualTo(garbled.id());
    }

    @Test
    void aTagThatACrashLeftInTwoRecordsBelongsToTheLater() throws Exception {
        registry.serve("registry.test/app:1", "", List.of(fileLayer("x", "1")));
        ImageStore store = store();
        Image old = pull(store, "registry.test/app:1");
        Path record = root().resolve("images/" + old.id() + ".json");
        byte[] tagged = Files.readAllBytes(record);
        registry.serve("registry.test/app:1", "", List.of(fileLayer("x", "2")));
        Image moved = pull(store, "registry.test/app:1");
        close(store);
        Files.write(record, tagged);
        ImageStore again = store();
        assertThat(again.find("registry.test/app:1").orElseThrow().id()).isEqualTo(moved.id());
        assertThat(again.find(old.id().value()).orElseThrow().repoTags()).isEmpty();
    }

    @Test
    void anUnknownImageIsToldWithAllThatWasTried() {
        ImageStore store = store();
        ImageException refusal =
                catchThrowableOfType(
                        ImageException.class, () -> pull(store, "registry.test/none:1"));
        assertThat(refusal.kind()).isEqualTo(ErrorKind.NOT_FOUND);
        assertThatThrownBy(() -> pull(store, "UPPER/case:1")).isInstanceOf(ImageException.class);
    }

    // ---- root file systems ----

    @Test
    void layersAreMergedAsTheKernelDoes() throws Exception {
        Layer bottom =
                gzip(
                        new TarBytes()
                                .directory(".", 0711)
                                .directory("etc", 0750)
                                .file("etc/kept", "bottom")
                                .file("etc/gone", "bottom")
                                .directory("opaque", 0755)
                                .file("opaque/old", "bottom")
                                .file("bin", 04755, "tool".getBytes(UTF_8))
                                .end());
        Layer top =
                gzip(
                        new TarBytes()
                                .file("etc/.wh.gone", "")
                                .file("etc/new", "top")
                                .directory("opaque", 0755)
                                .file("opaque/.wh..wh..opq", "")
                                .file("opaque/new", "top")
                                .hardLink("alias", "bin")
                                .end());
        registry.serve("registry.test/app:1", "", List.of(bottom, top));
        ImageStore store = store();
        Image image = pull(store, "registry.test/app:1");
        Path mounted = mount(store, image);
        assertThat(names(mounted.resolve("etc"))).containsExactly("kept", "new");
        assertThat(status(mounted.resolve("etc")).mode() & 07777).isEqualTo(0750);
        assertThat(names(mounted.resolve("opaque"))).containsExactly("new");
        assertThat(status(mounted.resolve("alias")).mode() & 07777).isEqualTo(04755);
        assertThat(status(mounted).mode() & 07777).isEqualTo(0711);
        Files.writeString(mounted.resolve("etc/kept"), "changed");
        assertThat(image.layerDirectories().getFirst().resolve("etc/kept")).hasContent("bottom");

        Path target = Files.createDirectory(directory.resolve("volume"));
        store.mountReadOnly(image, target, "");
        mounts.add(target);
        assertThat(names(target.resolve("etc"))).containsExactly("kept", "new");
        assertThatThrownBy(() -> Files.writeString(target.resolve("etc/kept"), "changed"))
                .isInstanceOf(IOException.class);
    }

    @Test
    void imagesOfNoneOneAndManyLayersAreMounted() throws Exception {
        registry.serve("registry.test/none:1", "", List.of());
        Layer one = fileLayer("one", "x");
        registry.serve("registry.test/one:1", "", List.of(one));
        registry.serve(
                "registry.test/many:1",
                "",
                IntStream.range(0, 140).mapToObj(i -> fileLayer("f" + i, "x")).toList());
        registry.serve(
                "registry.test/twice:1", "", List.of(one, fileLayer(".wh.one", ""), one, one));
        ImageStore store = store();
        Image none = pull(store, "registry.test/none:1");
        Image single = pull(store, "registry.test/one:1");
        Image many = pull(store, "registry.test/many:1");
        Image twice = pull(store, "registry.test/twice:1");
        assertThat(names(mount(store, none))).isEmpty();
        assertThat(status(mounts.getLast()).mode() & 07777).isEqualTo(0755);
        assertThat(names(mount(store, single))).containsExactly("one");
        assertThat(names(mount(store, many))).hasSize(140);
        assertThat(names(mount(store, twice))).containsExactly("one");
        assertThat(registry.opens(one.digest())).isEqualTo(1);
        for (Image image : List.of(none, single, many, twice)) {
            Path target = Files.createTempDirectory(directory, "volume");
            store.mountReadOnly(image, target, "");
            mounts.add(target);
            assertThat(names(target)).hasSameSizeAs(names(mounts.get(mounts.size() - 5)));
        }
    }

    @Test
    void aLayerCanHideAllBelowIt() throws Exception {
        registry.serve(
                "registry.test/app:1",
                "",
                List.of(
                        fileLayer("old", "x"),
                        gzip(new TarBytes().file(".wh..wh..opq", "").file("new", "x").end())));
        ImageStore store = store();
        assertThat(names(mount(store, pull(store, "registry.test/app:1")))).containsExactly("new");
    }

    @Test
    void pathsMayHaveCharactersThatMeanSomethingToOverlayfs() throws Exception {
        Path odd = Files.createDirectory(directory.resolve("a:b,c\\d"));
        registry.serve(
                "registry.test/app:1", "", List.of(fileLayer("a", "x"), fileLayer("b", "x")));
        ImageStore store = store(StoreOptions.at(odd.resolve("store"), List.of()));
        Image image = pull(store, "registry.test/app:1");
        Path target = Files.createDirectory(odd.resolve("rootfs"));
        store.mountRootFileSystem(
                image,
                Files.createDirectory(odd.resolve("upper")),
                Files.createDirectory(odd.resolve("work")),
                target,
                "");
        mounts.add(target);
        assertThat(names(target)).containsExactly("a", "b");
        Files.writeString(target.resolve("c"), "x");
        assertThat(odd.resolve("upper/c")).hasContent("x");
    }

    @Test
    void aLayerThatDependsOnItsPlaceIsKeptForEachPlace() throws Exception {
        Layer leaning = fileLayer("tmp/file", "x");
        registry.serve(
                "registry.test/a:1",
                "",
                List.of(gzip(new TarBytes().directory("tmp", 01777).end()), leaning));
        registry.serve(
                "registry.test/b:1",
                "",
                List.of(gzip(new TarBytes().directory("tmp", 0700).end()), leaning));
        registry.serve("registry.test/c:1", "", List.of(leaning));
        ImageStore store = store();
        Image a = pull(store, "registry.test/a:1");
        Image b = pull(store, "registry.test/b:1");
        Image c = pull(store, "registry.test/c:1");
        assertThat(status(mount(store, a).resolve("tmp")).mode() & 07777).isEqualTo(01777);
        assertThat(status(mount(store, b).resolve("tmp")).mode() & 07777).isEqualTo(0700);
        assertThat(status(mount(store, c).resolve("tmp")).mode() & 07777).isEqualTo(0755);
        store.remove("registry.test/a:1");
        assertThat(TreeListing.of(LINUX, b.layerDirectories().getLast())).containsKey("tmp/file");
    }

    @Test
    void idsOfOtherShapesAreNotFound() {
        ImageStore store = store();
        assertThat(store.find("sha256:xyz")).isEmpty();
        assertThat(store.find("")).isEmpty();
        assertThat(Arrays.asList(store.list().toArray())).isEmpty();
        assertThat(store.find(new ImageId("a".repeat(64)).value())).isEmpty();
        Digest digest = ContentHash.of(new byte[] {1});
        assertThat(store.find("registry.test/app@" + digest)).isEmpty();
    }
}
