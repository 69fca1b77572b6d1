package io.crema.server.image;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import io.crema.base.ImageId;
import io.crema.cri.v1.AuthConfig;
import io.crema.cri.v1.Image;
import io.crema.cri.v1.ImageFilter;
import io.crema.cri.v1.ImageFsInfoResponse;
import io.crema.cri.v1.ImageSpec;
import io.crema.cri.v1.ImageStatusRequest;
import io.crema.cri.v1.ImageStatusResponse;
import io.crema.cri.v1.ListImagesRequest;
import io.crema.cri.v1.PullImageRequest;
import io.crema.cri.v1.RemoveImageRequest;
import io.crema.image.ImageException;
import io.crema.image.Images;
import io.crema.image.registry.NamespacedLogins;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The identity and shape rules of the CRI's images. */
final class ImageServiceTest {
    private static final String TAG = "registry.example/app:1";
    private static final String PAUSE = "pause.test/pause:3";
    private static final String HEX = FakeImages.ID.value();

    @TempDir Path directory;

    private final FakeImages store =
            new FakeImages().add(FakeImages.image(FakeImages.ID, "", List.of(TAG), List.of()));

    @Test
    void oneIdEverywhere() {
        Image listed = list("").getFirst();

        assertThat(listed.getId()).isEqualTo(HEX);
        assertThat(pull(TAG)).isEqualTo(HEX);
        assertThat(status(TAG).getImage().getId()).isEqualTo(HEX);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "sha256:"})
    void anIdMayBeWrittenWithAndWithoutItsAlgorithm(String prefix) {
        assertThat(status(prefix + HEX).getImage().getId()).isEqualTo(HEX);
        assertThat(status(prefix + HEX.substring(0, 12)).getImage().getId()).isEqualTo(HEX);
        assertThat(list(prefix + HEX)).hasSize(1);
        new RemoveImage(store.images())
                .answer(RemoveImageRequest.newBuilder().setImage(spec(prefix + HEX)).build());
        assertThat(store.removed).containsExactly(HEX);
    }

    @Test
    void anAbsentImageIsNoError() {
        assertThat(status("nothing").hasImage()).isFalse();
        assertThat(list("nothing")).isEmpty();
    }

    @Test
    void aFilterIsALookUp() {
        store.add(
                FakeImages.image(new ImageId("12".repeat(32)), "", List.of("other:2"), List.of()));

        assertThat(list("")).hasSize(2);
        assertThat(list(TAG)).extracting(Image::getId).containsExactly(HEX);
    }

    @ParameterizedTest
    @CsvSource({
        "'', 0, ''",
        "root, 0, ''",
        "0:0, 0, ''",
        "1000, 1000, ''",
        "1000:100, 1000, ''",
        "4294967294, 4294967294, ''",
        "nobody, , nobody",
        "www:www, , www"
    })
    void eitherUidOrUserNameIsSet(String user, Long uid, String name) {
        FakeImages images =
                new FakeImages()
                        .add(FakeImages.image(FakeImages.ID, user, List.of(TAG), List.of()));

        Image image =
                new ListImages(images.images())
                        .answer(ListImagesRequest.getDefaultInstance())
                        .getImages(0);

        assertThat(image.hasUid()).isEqualTo(uid != null);
        if (uid != null) {
            assertThat(image.getUid().getValue()).isEqualTo(uid);
        }
        assertThat(image.getUsername()).isEqualTo(name);
    }

    @Test
    void namesSizeAndSpecAreTold() {
        Image image = list("").getFirst();

        assertThat(image.getRepoTagsList()).containsExactly(TAG);
        assertThat(image.getSize()).isEqualTo(1234);
        assertThat(image.getSpec().getImage()).isEqualTo(TAG);
        assertThat(image.getPinned()).isFalse();
    }

    @Test
    void verboseStatusHasTheConfiguration() throws IOException {
        ImageStatusResponse brief = status(TAG);
        ImageStatusResponse verbose =
                new ImageStatus(store.images(), new ObjectMapper())
                        .answer(
                                ImageStatusRequest.newBuilder()
                                        .setImage(spec(TAG))
                                        .setVerbose(true)
                                        .build());

        assertThat(brief.getInfoMap()).isEmpty();
        JsonNode info = new ObjectMapper().readTree(verbose.getInfoOrThrow("info"));
        assertThat(info.at("/labels/made-by").asText()).isEqualTo("us");
        assertThat(info.at("/imageSpec/config/Entrypoint/0").asText()).isEqualTo("/entry");
        assertThat(info.at("/imageSpec/config/Env/0").asText()).isEqualTo("A=b");
        assertThat(info.at("/imageSpec/config/Volumes/~1data").isObject()).isTrue();
    }

    @Test
    void credentialsArriveWhole() {
        new PullImage(
                        store.images(),
                        new NamespacedLogins(Path.of("/nonexistent")),
                        new PauseImageLogin(() -> PAUSE, () -> Optional.of(pauseLogin())))
                .answer(
                        PullImageRequest.newBuilder()
                                .setImage(spec(TAG))
                                .setAuth(
                                        AuthConfig.newBuilder()
                                                .setUsername("u")
                                                .setPassword("p")
                                                .setAuth("a")
                                                .setServerAddress("s")
                                                .setIdentityToken("i")
                                                .setRegistryToken("r"))
                                .build(),
                        Deadline.none());

        assertThat(store.credentials.getFirst())
                .isEqualTo(new io.crema.image.Images.Credentials("u", "p", "a", "s", "i", "r"));
    }

    @Test
    void anEmptyNameIsRefusedNotMatchedToEverything() {
        assertThatThrownBy(() -> status(""))
                .isInstanceOfSatisfying(
                        ImageException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.INVALID_ARGUMENT))
                .hasMessageContaining("image.image");
        assertThatThrownBy(() -> pull(" ")).hasMessageContaining("PullImage");
        assertThatThrownBy(() ->
                        new RemoveImage(store.images())
                                .answer(RemoveImageRequest.getDefaultInstance()))
                .hasMessageContaining("RemoveImage");
    }

    @Test
    void fileSystemsAreTwoOnTwoDisks() {
        ImageFsInfoResponse info =
                new ImageFsInfo(store.images(), Path.of("/proc"), Clock.systemUTC()).answer();

        assertThat(info.getImageFilesystems(0).getUsedBytes().getValue()).isEqualTo(10);
        assertThat(info.getImageFilesystems(0).getFsId().getMountpoint()).isEqualTo("/");
        assertThat(info.getImageFilesystems(0).getTimestamp())
                .isGreaterThan(1_700_000_000_000_000_000L);
        assertThat(info.getContainerFilesystems(0).getInodesUsed().getValue()).isEqualTo(2);
        assertThat(info.getContainerFilesystems(0).getFsId().getMountpoint()).isEqualTo("/proc");
    }

    @Test
    void fileSystemsShareTheMountPointOnOneDisk() {
        store.usageMountPoint = Path.of("/proc/sys");
        ImageFsInfoResponse info =
                new ImageFsInfo(store.images(), Path.of("/proc"), Clock.systemUTC()).answer();

        assertThat(info.getContainerFilesystems(0).getFsId())
                .isEqualTo(info.getImageFilesystems(0).getFsId());
    }

    private List<Image> list(String name) {
        return new ListImages(store.images())
                .answer(
                        ListImagesRequest.newBuilder()
                                .setFilter(ImageFilter.newBuilder().setImage(spec(name)))
                                .build())
                .getImagesList();
    }

    @Test
    void thePauseImageHasCredentialsOfItsOwn() throws IOException {
        store.add(FakeImages.image(new ImageId("ef".repeat(32)), "", List.of(PAUSE), List.of()));
        Files.writeString(pauseLogin(), "{}");
        pull(PAUSE);
        pull(TAG);
        assertThat(store.credentials)
                .extracting(Images.Credentials::authFile)
                .containsExactly("{}", "");
        Files.delete(pauseLogin());
        assertThatThrownBy(() -> pull(PAUSE)).hasMessageContaining("pause_image_auth_file");
    }

    private Path pauseLogin() {
        return directory.resolve("pause.json");
    }

    private ImageStatusResponse status(String name) {
        return new ImageStatus(store.images(), new ObjectMapper())
                .answer(ImageStatusRequest.newBuilder().setImage(spec(name)).build());
    }

    private String pull(String name) {
        return new PullImage(
                        store.images(),
                        new NamespacedLogins(Path.of("/nonexistent")),
                        new PauseImageLogin(() -> PAUSE, () -> Optional.of(pauseLogin())))
                .answer(PullImageRequest.newBuilder().setImage(spec(name)).build(), Deadline.none())
                .getImageRef();
    }

    private static ImageSpec spec(String name) {
        return ImageSpec.newBuilder().setImage(name).build();
    }
}
