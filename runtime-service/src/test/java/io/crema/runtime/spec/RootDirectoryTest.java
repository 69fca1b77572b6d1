package io.crema.runtime.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.oci.linux.Linux;
import io.crema.oci.linux.jna.JnaLinux;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

class RootDirectoryTest {
    private static final Linux LINUX = JnaLinux.load();

    @TempDir Path directory;
    private Path root;
    private Path outside;

    @BeforeEach
    void makeRoot() throws IOException {
        root = Files.createDirectory(directory.resolve("root"));
        outside = Files.createDirectory(directory.resolve("outside"));
        Files.createDirectory(root.resolve("etc"));
    }

    private RootDirectory open() {
        return new RootDirectory(LINUX, root);
    }

    private String read(String name) {
        try (RootDirectory opened = open()) {
            return opened.read(name, 1000)
                    .map(bytes -> new String(bytes, StandardCharsets.UTF_8))
                    .orElse("(absent)");
        }
    }

    private void make(String place) {
        try (RootDirectory opened = open()) {
            opened.makeDirectories(place, "the working directory", 0, 0);
        }
    }

    @Test
    void readsRegularFiles() throws IOException {
        Files.writeString(root.resolve("etc/passwd"), "root:x:0:0::/root:/bin/sh\n");

        assertThat(read("etc/passwd")).isEqualTo("root:x:0:0::/root:/bin/sh\n");
        assertThat(read("etc/group")).isEqualTo("(absent)");
        assertThat(read("etc")).isEqualTo("(absent)");
        assertThat(read("etc/passwd/x")).isEqualTo("(absent)");
    }

    @Test
    void followsLinksInsideTheRootOnly() throws IOException {
        Files.writeString(outside.resolve("secret"), "secret");
        Files.writeString(root.resolve("real"), "inside");
        Files.createSymbolicLink(root.resolve("etc/absolute"), Path.of("/real"));
        Files.createSymbolicLink(root.resolve("etc/up"), Path.of("../../../../real"));
        Files.createSymbolicLink(root.resolve("etc/out"), outside.resolve("secret"));
        Files.createSymbolicLink(root.resolve("etc/climb"), Path.of("../../outside/secret"));
        Files.createSymbolicLink(root.resolve("etc/loop"), Path.of("loop"));

        assertThat(read("etc/absolute")).isEqualTo("inside");
        assertThat(read("etc/up")).isEqualTo("inside");
        assertThat(read("etc/out")).isEqualTo("(absent)");
        assertThat(read("etc/climb")).isEqualTo("(absent)");
        assertThat(read("etc/loop")).isEqualTo("(absent)");
    }

    @Test
    @Timeout(20)
    void doesNotWaitForFifos() throws IOException {
        LINUX.makeFifo(root.resolve("etc/passwd"), 0644);

        assertThat(read("etc/passwd")).isEqualTo("(absent)");
    }

    @Test
    void doesNotOpenDevices() throws IOException {
        Files.createSymbolicLink(root.resolve("etc/passwd"), Path.of("/dev/zero"));

        assertThat(read("etc/passwd")).isEqualTo("(absent)");
    }

    @Test
    void refusesFilesThatAreTooLarge() throws IOException {
        Files.write(root.resolve("etc/passwd"), new byte[1001]);

        assertThatThrownBy(() -> read("etc/passwd"))
                .isInstanceOf(PodException.class)
                .hasMessage("/etc/passwd of the image is 1001 bytes long; at most 1000 are read");
    }

    @Test
    void makesMissingDirectories() throws IOException {
        make("/srv/app/data");
        make("/srv/app/data");
        make("/");

        assertThat(root.resolve("srv/app/data")).isDirectory();
        assertThat(Files.getPosixFilePermissions(root.resolve("srv/app")))
                .hasToString(Files.getPosixFilePermissions(root.resolve("srv")).toString());
    }

    @Test
    void makesDirectoriesBehindLinksInsideTheRoot() throws IOException {
        Files.createSymbolicLink(root.resolve("var"), outside);
        Files.createSymbolicLink(root.resolve("run"), Path.of("data/run"));
        Files.createDirectory(root.resolve("deep"));
        Files.createSymbolicLink(root.resolve("deep/up"), Path.of("../../../../../made"));

        make("/var/lib/x");
        make("/run/y");
        make("/deep/up/z");

        assertThat(outside).isEmptyDirectory();
        // The link's absolute target is taken inside the root.
        assertThat(root.resolve(Path.of("/").relativize(outside)).resolve("lib/x")).isDirectory();
        assertThat(root.resolve("data/run/y")).isDirectory();
        assertThat(root.resolve("made/z")).isDirectory();
    }

    @Test
    void refusesToMakeADirectoryOfAFile() throws IOException {
        Files.writeString(root.resolve("etc/file"), "");

        assertThatThrownBy(() -> make("/etc/file/x"))
                .isInstanceOf(PodException.class)
                .hasMessage(
                        "the working directory /etc/file/x: /etc/file of the image is not a"
                                + " directory");
        assertThatThrownBy(() -> make("/etc/file")).hasMessageContaining("is not a directory");
    }

    @Test
    @Timeout(20)
    void refusesLoopsOfLinks() throws IOException {
        Files.createSymbolicLink(root.resolve("a"), Path.of("b"));
        Files.createSymbolicLink(root.resolve("b"), Path.of("a"));

        assertThatThrownBy(() -> make("/a/x")).hasMessageContaining("too many symbolic links");
    }

    @Test
    void linksOnlyWhereNothingIs() throws IOException {
        try (RootDirectory opened = open()) {
            opened.linkIfAbsent("etc", "mtab", "/proc/mounts");
            opened.linkIfAbsent("etc", "mtab", "/elsewhere");
            opened.linkIfAbsent("missing", "mtab", "/proc/mounts");
        }

        assertThat(Files.readSymbolicLink(root.resolve("etc/mtab")))
                .isEqualTo(Path.of("/proc/mounts"));
        assertThat(root.resolve("missing")).doesNotExist();
    }

    @Test
    void leavesNoDescriptorOpen() throws IOException {
        Files.writeString(root.resolve("etc/passwd"), "x");
        int before = openDescriptors();
        for (int i = 0; i < 20; i++) {
            read("etc/passwd");
            read("etc/none");
            make("/a/b" + i);
        }

        assertThat(openDescriptors()).isLessThan(before + 20);
    }

    private static int openDescriptors() throws IOException {
        try (var names = Files.list(Path.of("/proc/self/fd"))) {
            return (int) names.count();
        }
    }
}
