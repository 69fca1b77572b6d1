package io.crema.oci.monitor;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.base.ContainerId;
import io.crema.oci.lab.OciLab;
import io.crema.oci.monitor.ContainerMonitor.Exit;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Exits as conmon leaves them in files; needs neither conmon nor root. */
class ExitRecordTest {
    private static final Path CONMON = Path.of("/usr/bin/conmon");

    @TempDir private Path directory;

    private Exit exit(String code) throws IOException {
        Path persist = Files.createDirectories(directory.resolve("persist"));
        Files.writeString(persist.resolve("exit"), code);
        Instant ended = Instant.parse("2026-01-02T03:04:05Z");
        Files.setLastModifiedTime(persist.resolve("exit"), FileTime.from(ended));
        try (OciLab lab = new OciLab(directory, CONMON, CONMON)) {
            Exit exit = lab.monitor().exit(persist, directory).orElseThrow();
            assertThat(exit.finishedAt()).isEqualTo(ended);
            return exit;
        }
    }

    @Test
    void codeIsRead() throws IOException {
        assertThat(exit("0").code()).isZero();
        assertThat(exit("137\n").code()).isEqualTo(137);
        assertThat(exit("0").oomKilled()).isFalse();
    }

    @Test
    void unreadableCodeIsAFailure() throws IOException {
        assertThat(exit("-1").code()).isEqualTo(255);
        assertThat(exit("").code()).isEqualTo(255);
    }

    @Test
    void memoryKillIsToldByEitherFile() throws IOException {
        Path inBundle = Files.createFile(directory.resolve("oom"));
        assertThat(exit("137").oomKilled()).isTrue();
        Files.delete(inBundle);
        Files.createFile(directory.resolve("persist/oom"));
        assertThat(exit("137").oomKilled()).isTrue();
    }

    @Test
    void noFileNoExit() throws IOException {
        try (OciLab lab = new OciLab(directory, CONMON, CONMON)) {
            assertThat(lab.monitor().exit(directory.resolve("none"), directory)).isEmpty();
        }
    }

    @Test
    void droppedEventsAreMadeUpFor() throws Exception {
        int limit =
                Integer.parseInt(
                        Files.readString(Path.of("/proc/sys/fs/inotify/max_queued_events"))
                                .strip());
        Set<ContainerId> expected = ConcurrentHashMap.newKeySet();
        Set<ContainerId> seen = ConcurrentHashMap.newKeySet();
        CountDownLatch allWritten = new CountDownLatch(1);
        try (OciLab lab = new OciLab(directory, CONMON, CONMON);
                AutoCloseable watch =
                        lab.monitor()
                                .watchExits(id -> {
                                    seen.add(id);
                                    try {
                                        allWritten.await();
                                    } catch (InterruptedException e) {
                                        Thread.currentThread().interrupt();
                                    }
                                })) {
            assertThat(watch).isNotNull();
            Files.createFile(lab.exitsDirectory().resolve("not-an-id"));
            for (int i = 0; i < limit + 1000; i++) {
                ContainerId id = new ContainerId("%064x".formatted(i));
                expected.add(id);
                Files.createFile(lab.exitsDirectory().resolve(id.value()));
            }
            allWritten.countDown();
            OciLab.until("all exits are reported", () -> seen.size() == expected.size());
            assertThat(seen).isEqualTo(expected);
        }
    }
}
