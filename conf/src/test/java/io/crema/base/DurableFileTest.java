package io.crema.base;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DurableFileTest {
    @TempDir private Path directory;

    @Test
    void writesAndReplaces() throws IOException {
        Path file = directory.resolve("record.json");
        DurableFile.write(file, bytes("one, the longer text"));
        DurableFile.write(file, bytes("two"));
        assertThat(file).hasContent("two");
        assertThat(names()).containsExactly("record.json");
    }

    @Test
    void writesNothing() throws IOException {
        Path file = directory.resolve("empty");
        DurableFile.write(file, new byte[0]);
        assertThat(file).isEmptyFile();
    }

    @Test
    void aFailureNamesTheFileAndLeavesTheOldContentAndNoTemporaryFile() throws IOException {
        Path occupied = Files.createDirectory(directory.resolve("record.json"));
        Files.writeString(occupied.resolve("inside"), "old");
        assertThatIOException()
                .isThrownBy(() -> DurableFile.write(occupied, bytes("new")))
                .withMessageContaining("could not write " + occupied);
        assertThat(occupied.resolve("inside")).hasContent("old");
        assertThat(names()).containsExactly("record.json");
    }

    @Test
    void aMissingDirectoryIsTold() {
        Path file = directory.resolve("nowhere/record.json");
        assertThatIOException()
                .isThrownBy(() -> DurableFile.write(file, bytes("new")))
                .withMessageContaining("could not write " + file);
    }

    @Test
    void aLeftOverOfACrashIsOverwritten() throws IOException {
        Path file = directory.resolve("record.json");
        Files.writeString(
                directory.resolve(
                        "."
                                + Thread.currentThread().threadId()
                                + ".record.json"
                                + DurableFile.TEMPORARY_SUFFIX),
                "a much longer text that the crash left behind");
        DurableFile.write(file, bytes("new"));
        assertThat(file).hasContent("new");
        assertThat(names()).containsExactly("record.json");
    }

    @Test
    void concurrentWritersLeaveOneWholeFile() throws Exception {
        Path file = directory.resolve("record.json");
        try (ExecutorService writers = Executors.newFixedThreadPool(4)) {
            List<Future<?>> running = new ArrayList<>();
            for (int writer = 0; writer < 4; writer++) {
                byte[] content = bytes(Integer.toString(writer).repeat(100_000));
                running.add(
                        writers.submit(() -> {
                            for (int i = 0; i < 25; i++) {
                                DurableFile.write(file, content);
                                String seen = Files.readString(file);
                                assertThat(seen).hasSize(100_000);
                                assertThat(seen.chars().distinct().count()).isEqualTo(1);
                            }
                            return null;
                        }));
            }
            for (Future<?> writer : running) {
                writer.get(60, TimeUnit.SECONDS);
            }
        }
        assertThat(names()).containsExactly("record.json");
    }

    @Test
    void deletes() throws IOException {
        Path file = directory.resolve("record.json");
        DurableFile.write(file, bytes("one"));
        DurableFile.delete(file);
        DurableFile.delete(file);
        assertThat(names()).isEmpty();
    }

    @Test
    void aRelativePathIsWritten() throws IOException {
        Path relative = Path.of("").toAbsolutePath().relativize(directory.resolve("record.json"));
        DurableFile.write(relative, bytes("one"));
        assertThat(directory.resolve("record.json")).hasContent("one");
    }

    private List<String> names() throws IOException {
        try (Stream<Path> paths = Files.list(directory)) {
            return paths.map(path -> path.getFileName().toString()).sorted().toList();
        }
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
