package io.crema.oci.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The fake keeps the contract, records and fails on demand. */
class FakeLinuxTest extends LinuxContract {
    private final FakeLinux fake = new FakeLinux();

    @Override
    protected Linux createLinux() {
        fake.install(exitsWithSeven(), process -> 7);
        fake.install(
                runsForEver(),
                process -> {
                    process.awaitSignal(9);
                    return 0;
                });
        return fake;
    }

    @Override
    protected Path createDirectory() {
        Path directory = Path.of("/fake/directory");
        fake.makeDirectories(directory);
        return directory;
    }

    @Override
    protected Path exitsWithSeven() {
        return Path.of("/bin/seven");
    }

    @Override
    protected Path runsForEver() {
        return Path.of("/bin/for-ever");
    }

    @Test
    void recordsCallsWithTheirArguments() {
        fake.forgetCalls();
        linux.makeDirectoryAt(top, "inner", 0755);
        assertThat(fake.calls())
                .extracting(Object::toString)
                .containsExactly("mkdirat(fd 3, 'inner')");
        assertThat(fake.calls("mkdirat")).containsExactly("fd 3, 'inner'");
    }

    @Test
    void failsTheNextMatchingCallOnce() {
        fake.failNext("mkdirat", arguments -> arguments.contains("two"), Errno.ENOSPC);
        linux.makeDirectoryAt(top, "one", 0755);
        assertFails(Errno.ENOSPC, () -> linux.makeDirectoryAt(top, "two", 0755));
        linux.makeDirectoryAt(top, "two", 0755);
    }

    @Test
    void tellsWhatIsStillOpen() {
        Descriptor file = linux.openAt(top, "file", CREATE, 0600, Set.of());
        assertThat(fake.openDescriptors()).contains(file.number());
        file.close();
        assertThat(fake.openDescriptors()).containsExactly(top.number());
    }
}
