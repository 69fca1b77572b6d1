package io.crema.image.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.image.layer.ContentHash;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class SpoolTest {
    private static final String BOOT = "0d5b9d6e-0000-4000-8000-000000000001";
    private static final long SIZE = 8L * Spool.LARGE_SEGMENT_BYTES + 1000;

    @TempDir Path directory;

    private Spool open() throws IOException {
        return Spool.open(directory.resolve("layer"), SIZE, BOOT);
    }

    private static byte[] noise(int length) {
        byte[] bytes = new byte[length];
        new Random(length).nextBytes(bytes);
        return bytes;
    }

    @Test
    void whatWasWrittenIsThereAfterACrash() throws IOException {
        byte[] some = noise(1 << 20);
        Spool before = open();
        before.append(0, some, 0, some.length);
        before.append(8, some, 0, 1000);
        // No close: a crash does not either.
        try (Spool after = open()) {
            assertThat(after.resumedBytes()).isEqualTo(some.length + 1000L);
            assertThat(after.filledTo(0)).isEqualTo(some.length);
            assertThat(after.filledTo(1)).isEqualTo(Spool.LARGE_SEGMENT_BYTES);
            assertThat(after.isFull(8)).isTrue();
            byte[] read = new byte[some.length];
            assertThat(after.read(0, read, 0, read.length)).isEqualTo(read.length);
            assertThat(read).isEqualTo(some);
        }
        before.close();
    }

    @Test
    void aCrashLosesLessThanAStep() throws IOException {
        byte[] some = noise(100_000);
        Spool before = open();
        for (int i = 0; i < 7; i++) {
            before.append(1, some, 0, some.length);
        }
        try (Spool after = open()) {
            assertThat(after.resumedBytes()).isBetween(700_000L - (256 << 10), 700_000L);
        }
        before.close();
    }

    @Test
    void nothingIsBelievedAfterARebootOrOfAnotherSize() throws IOException {
        try (Spool before = open()) {
            before.append(0, noise(1 << 20), 0, 1 << 20);
        }
        Path file = directory.resolve("layer");
        try (Spool other = Spool.open(file, SIZE + 1, BOOT)) {
            assertThat(other.resumedBytes()).isZero();
            other.append(0, noise(1 << 20), 0, 1 << 20);
        }
        try (Spool other = Spool.open(file, SIZE + 1, BOOT.replace('1', '2'))) {
            assertThat(other.resumedBytes()).isZero();
        }
    }

    @Test
    void aBrokenJournalIsNotBelieved() throws IOException {
        try (Spool before = open()) {
            before.append(0, noise(1 << 20), 0, 1 << 20);
        }
        Path journal = directory.resolve("layer.journal");
        byte[] bytes = Files.readAllBytes(journal);
        bytes[128] = 1;
        Files.write(journal, bytes);
        try (Spool after = open()) {
            assertThat(after.resumedBytes()).isZero();
        }
        Files.write(journal, new byte[10]);
        try (Spool after = open()) {
            assertThat(after.resumedBytes()).isZero();
        }
    }

    @Test
    void spoolsAreFewAndDoNotStayForEver() throws IOException {
        Instant now = Instant.parse("2026-01-01T00:00:00Z");
        Spools spools = new Spools(directory, Clock.fixed(now, ZoneOffset.UTC), BOOT);
        for (int i = 0; i < 70; i++) {
            var digest = ContentHash.of(noise(i + 1));
            Spool spool = spools.open(digest, SIZE).orElseThrow();
            assertThat(spools.open(digest, SIZE)).as("in use").isEmpty();
            spool.append(0, noise(1 << 10), 0, 1 << 10);
            spools.close(digest, spool);
            Files.setLastModifiedTime(
                    directory.resolve(digest.algorithm() + "-" + digest.hex()),
                    FileTime.from(now.minus(Duration.ofMinutes(70 - i))));
        }
        spools.sweep();
        assertThat(count()).isEqualTo(2 * 64);
        new Spools(directory, Clock.fixed(now.plus(Duration.ofHours(5)), ZoneOffset.UTC), BOOT)
                .sweep();
        assertThat(count()).isEqualTo(2 * 60);
        new Spools(directory, Clock.fixed(now, ZoneOffset.UTC), BOOT.replace('1', '2')).sweep();
        assertThat(count()).isZero();
    }

    private long count() throws IOException {
        try (Stream<Path> files = Files.list(directory)) {
            return files.count();
        }
    }
}
