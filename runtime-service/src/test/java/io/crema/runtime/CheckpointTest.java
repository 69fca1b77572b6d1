package io.crema.runtime;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.ErrorKind;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(60)
class CheckpointTest {
    @TempDir Path directory;
    private Path unpacked;

    @BeforeEach
    void unpack() throws IOException {
        unpacked = directory.resolve("restore");
        Files.createDirectories(unpacked.resolve(CheckpointFiles.IMAGES));
        Files.writeString(
                unpacked.resolve(CheckpointFiles.IMAGES).resolve(CheckpointFiles.INVENTORY), "x");
        Files.writeString(unpacked.resolve(CheckpointFiles.CONFIG), "{\"rootfsImageName\":\"i\"}");
        Files.writeString(unpacked.resolve(CheckpointFiles.SPEC), "{}");
    }

    @Test
    void anArchiveOfFilesIsRead() {
        assertThat(Checkpoint.read("a.tar", unpacked).image()).isEqualTo("i");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                CheckpointFiles.CONFIG,
                CheckpointFiles.SPEC,
                CheckpointFiles.LOG,
                CheckpointFiles.REMOVED,
                CheckpointFiles.CHANGES,
                CheckpointFiles.IMAGES + "/" + CheckpointFiles.INVENTORY,
                "other/deep"
            })
    void aLinkIsRefused(String entry) throws IOException {
        Path secret = Files.writeString(directory.resolve("secret"), "{}");
        Path link = unpacked.resolve(entry);
        Files.createDirectories(link.resolveSibling("."));
        Files.deleteIfExists(link);
        Files.createSymbolicLink(link, secret);
        refused(entry);
    }

    @Test
    void aLinkInTheDirectorysPlaceIsRefused() throws IOException {
        Files.move(unpacked.resolve(CheckpointFiles.IMAGES), directory.resolve("elsewhere"));
        Files.createSymbolicLink(
                unpacked.resolve(CheckpointFiles.IMAGES), directory.resolve("elsewhere"));
        refused(CheckpointFiles.IMAGES);
    }

    @Test
    void aDirectoryAmongCriusFilesIsRefused() throws IOException {
        Files.createDirectory(unpacked.resolve(CheckpointFiles.IMAGES).resolve("parent"));
        refused(CheckpointFiles.IMAGES + "/parent");
    }

    private void refused(String entry) {
        assertThatThrownBy(() -> Checkpoint.read("a.tar", unpacked))
                .isInstanceOfSatisfying(
                        PodException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.INVALID_ARGUMENT))
                .hasMessageContaining("config.image.image: a.tar")
                .hasMessageContaining("its entry " + entry + " must be a regular file");
    }
}
