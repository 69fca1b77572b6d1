package io.crema.oci.process;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxProcesses.ExitStatus;
import io.crema.oci.linux.LinuxProcesses.SpawnRequest;
import io.crema.oci.linux.jna.JnaLinux;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Orphans: adopted with their exit code, reaped when nobody does, never taken from their owner. */
class FamilyTest {
    private static final Duration SOON = Duration.ofSeconds(20);

    @TempDir Path directory;

    private final Linux linux = JnaLinux.load();

    /** A process whose parent has ended and that has ended itself since. */
    private int endedOrphan() throws IOException {
        linux.becomeSubreaper();
        Path file = directory.resolve("pid");
        // It ends when its parent has, which else might reap it.
        Path go = directory.resolve("go");
        Files.deleteIfExists(go);
        String script =
                "mkfifo "
                        + go
                        + "; (read -r _ < "
                        + go
                        + "; exit 23) & echo $! > "
                        + file
                        + "; exit 0";
        int parent =
                linux.spawn(
                        new SpawnRequest(
                                Path.of("/bin/sh"),
                                List.of("sh", "-c", script),
                                Map.of(),
                                Map.of(),
                                true));
        assertThat(linux.waitFor(parent, SOON)).hasValue(new ExitStatus(0, 0));
        int orphan = Integer.parseInt(Files.readString(file).strip());
        Files.writeString(go, "\n");
        try (var process = linux.openProcess(orphan).orElseThrow()) {
            assertThat(linux.awaitEnd(process, SOON)).isTrue();
        }
        assertThat(linux.hasEnded(orphan)).isTrue();
        assertThat(linux.startTimeTicks(orphan)).as("a dead process has no start").isEmpty();
        return orphan;
    }

    @Test
    void orphanIsReapedAtTheSecondSweep() throws IOException {
        int orphan = endedOrphan();
        Family family = new Family(linux);
        family.sweep();
        assertThat(linux.hasEnded(orphan)).isTrue();
        family.sweep();
        assertThat(linux.hasEnded(orphan)).isFalse();
        assertThat(linux.openProcess(orphan)).isEmpty();
    }

    @Test
    void killedOneIsReapedAtFirstSightUnlessFollowed() throws IOException {
        int orphan = endedOrphan();
        Family family = new Family(linux);
        family.expect(orphan);
        family.reapExpected();
        assertThat(linux.openProcess(orphan)).isEmpty();
        assertThat(family.isExpecting()).isFalse();

        int followed = endedOrphan();
        family.follow(followed);
        family.expect(followed);
        family.reapExpected();
        assertThat(linux.waitFor(followed, Duration.ZERO)).hasValue(new ExitStatus(23, 0));
    }

    @Test
    void killedOneThatIsNoChildOfOursIsForgotten() throws IOException {
        Family family = new Family(linux);
        family.expect(1); // lives on
        family.reapExpected();
        assertThat(family.isExpecting()).isTrue();
        int gone = endedOrphan();
        linux.waitFor(gone, Duration.ZERO);
        Family other = new Family(linux);
        other.expect(gone);
        other.reapExpected();
        assertThat(other.isExpecting()).isFalse();
    }

    @Test
    void followedOrphanIsLeftToItsFollower() throws IOException {
        int orphan = endedOrphan();
        Family family = new Family(linux);
        family.follow(orphan);
        family.sweep();
        family.sweep();
        assertThat(linux.waitFor(orphan, Duration.ZERO)).hasValue(new ExitStatus(23, 0));
    }

    @Test
    void endedOrphanIsAdoptedWithItsExitCode() throws Exception {
        int orphan = endedOrphan();
        try (PollLoop loop = PollLoop.start(linux)) {
            Children children = new Children(linux, loop);
            Child child = children.adopt(orphan);
            assertThat(child.exit().get()).isEqualTo(new ExitStatus(23, 0));
            assertThat(child.hasEnded()).isTrue();
            assertThat(children.adoptIfThere(orphan)).isEmpty();
            assertThatThrownBy(() -> linux.waitFor(orphan, Duration.ZERO))
                    .isInstanceOf(LinuxException.class);
        }
    }
}
