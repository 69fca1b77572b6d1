package io.crema.runtime.state;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Records survive writing and reading; a half-written one is never taken for whole. */
class RecordsTest {
    @TempDir private Path directory;

    @Test
    void recordsComeBackAsTheyWere() throws IOException {
        String id = RecordFixtures.id("", 'c');
        Path file = directory.resolve("record.json");
        ContainerRecord container =
                RecordFixtures.container(id, RecordFixtures.id("", 'd'))
                        .startRequested(5)
                        .after(new ContainerState.Started(5))
                        .after(new ContainerState.Ended(9, 3, "Error", "text"));
        Records.write(file, container);
        ContainerRecord read = Records.read(file, ContainerRecord.class);
        assertThat(read).usingRecursiveComparison().isEqualTo(container);
        assertThat(read.state()).isEqualTo(new ContainerState.Exited(5, 9, 3, "Error", "text"));
        SandboxRecord sandbox = RecordFixtures.sandbox(id);
        Records.write(file, sandbox);
        assertThat(Records.read(file, SandboxRecord.class))
                .usingRecursiveComparison()
                .isEqualTo(sandbox);
        assertThat(directory).isDirectoryContaining(path -> path.equals(file));
        assertThat(directory.toFile().list()).hasSize(1);
    }

    @Test
    void brokenRecordsAreRefused() throws IOException {
        Path file = directory.resolve("record.json");
        Files.writeString(file, "{\"version\":1,");
        assertThatThrownBy(() -> Records.read(file, ContainerRecord.class))
                .isInstanceOf(IOException.class);
    }

    @Test
    void aFieldOfALaterVersionIsPassedOver() throws IOException {
        Path file = directory.resolve("record.json");
        Records.write(file, RecordFixtures.sandbox(RecordFixtures.id("", 'e')));
        Files.writeString(file, Files.readString(file).replaceFirst("\\{", "{\"later\":[1],"));
        assertThat(Records.read(file, SandboxRecord.class).name()).isEqualTo("pod");
    }

    @Test
    void anUpdateIsOnDiskBeforeItIsSeen() throws IOException {
        Layout layout = new Layout(directory, directory, directory, directory.resolve("boot"));
        SandboxRecord record = RecordFixtures.sandbox(RecordFixtures.id("", 'e'));
        Files.createDirectories(layout.sandbox(record.id()));
        PodSandbox sandbox = new PodSandbox(layout, record);
        sandbox.update(SandboxRecord::stopping);
        assertThat(sandbox.isReady()).isFalse();
        assertThat(Records.read(layout.sandboxRecord(record.id()), SandboxRecord.class).stopped())
                .isTrue();
    }
}
