package io.crema.image.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.image.reference.ImageName;
import io.crema.image.reference.ImageReference;
import io.crema.image.registry.RegistriesConfiguration.PullSource;
import io.crema.image.registry.RegistriesConfiguration.ShortNameMode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RegistriesTest {
    private static final String DIGEST =
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    @TempDir Path directory;
    private Path dropIns = Path.of("/");

    @BeforeEach
    void makeDirectory() throws IOException {
        dropIns = Files.createDirectory(directory.resolve("registries.conf.d"));
    }

    private RegistriesConfiguration read(String text) throws IOException {
        Files.writeString(directory.resolve("registries.conf"), text);
        return RegistriesReader.read(directory.resolve("registries.conf"), dropIns);
    }

    private static List<String> sources(RegistriesConfiguration configuration, String image) {
        return configuration.sources(ImageReference.parse(image)).stream()
                .map(RegistriesTest::text)
                .toList();
    }

    private static String text(PullSource source) {
        return (source.mirror() ? "mirror " : "")
                + source.reference()
                + (source.insecure() ? " insecure" : "");
    }

    /** The file that the lab's run-crema writes. */
    @Test
    void theLabsFileRewritesWellKnownRegistries() throws IOException {
        RegistriesConfiguration lab =
                read(
                        """
                        unqualified-search-registries = []
                        [[registry]]
                        prefix = "registry.k8s.io"
                        location = "127.0.0.1:5000"
                        insecure = true
                        [[registry]]
                        prefix = "gcr.io"
                        location = "127.0.0.1:5000"
                        insecure = true
                        [[registry]]
                        location = "127.0.0.1:5000"
                        insecure = true
                        """);

        assertThat(sources(lab, "registry.k8s.io/pause:3.10.1"))
                .containsExactly("127.0.0.1:5000/pause:3.10.1 insecure");
        assertThat(sources(lab, "gcr.io/k8s-staging-cri-tools/test-image-1"))
                .containsExactly("127.0.0.1:5000/k8s-staging-cri-tools/test-image-1 insecure");
        assertThat(sources(lab, "127.0.0.1:5000/lab/big:1"))
                .containsExactly("127.0.0.1:5000/lab/big:1 insecure");
        assertThat(sources(lab, "quay.io/x/y:1")).containsExactly("quay.io/x/y:1");
    }

    @ParameterizedTest
    @CsvSource({
        "example.com/foo/bar:1, one/bar:1",
        "example.com/foo/deep/bar:1, two/bar:1",
        "example.com/foo/deeper:1, one/deeper:1",
        "example.com/food/bar:1, example.com/food/bar:1",
        "example.com/exact:1, three/exact:1",
        "example.com/exact/more:1, three/exact/more:1",
        "a.wild.org/x:1, wild.host/x:1",
        "b.a.wild.org/x/y:1, wild.host/x/y:1",
        "wild.org/x:1, wild.org/x:1",
        "notwild.org/x:1, notwild.org/x:1",
        "evil.com/a.wild.org/x:1, evil.com/a.wild.org/x:1",
        "a.wild.org/special/x:1, four/special/x:1",
        "free.example.net:5000/x:1, free.example.net:5000/x:1",
    })
    void theLongestPrefixWinsAndEndsAtASeparator(String image, String source) throws IOException {
        RegistriesConfiguration configuration =
                read(
                        """
                        [[registry]]
                        prefix = "example.com/foo"
                        location = "one"
                        [[registry]]
                        prefix = "example.com/foo/deep"
                        location = "two"
                        [[registry]]
                        prefix = "example.com/exact"
                        location = "three/exact"
                        [[registry]]
                        prefix = "*.wild.org"
                        location = "wild.host"
                        [[registry]]
                        prefix = "*.wild.org/special"
                        location = "four/special"
                        [[registry]]
                        prefix = "*.example.net"
                        """);

        assertThat(sources(configuration, image)).containsExactly(source);
    }

    @Test
    void mirrorsComeInOrderAndServeWhatTheyMay() throws IOException {
        RegistriesConfiguration configuration =
                read(
                        """
                        [[registry]]
                        prefix = "example.com/foo"
                        location = "internal.net/bar"
                        [[registry.mirror]]
                        location = "all.net/m"
                        insecure = true
                        [[registry.mirror]]
                        location = "digests.net"
                        pull-from-mirror = "digest-only"
                        [[registry.mirror]]
                        location = "tags.net/"
                        pull-from-mirror = "tag-only"

                        [[registry]]
                        location = "strict.com"
                        mirror-by-digest-only = true
                        [[registry.mirror]]
                        location = "copy.net/strict"
                        """);

        assertThat(sources(configuration, "example.com/foo/i:1"))
                .containsExactly(
                        "mirror all.net/m/i:1 insecure",
                        "mirror tags.net/i:1",
                        "internal.net/bar/i:1");
        assertThat(sources(configuration, "example.com/foo/i@" + DIGEST))
                .containsExactly(
                        "mirror all.net/m/i@" + DIGEST + " insecure",
                        "mirror digests.net/i@" + DIGEST,
                        "internal.net/bar/i@" + DIGEST);
        assertThat(sources(configuration, "strict.com/i:1")).containsExactly("strict.com/i:1");
        assertThat(sources(configuration, "strict.com/i@" + DIGEST))
                .containsExactly("mirror copy.net/strict/i@" + DIGEST, "strict.com/i@" + DIGEST);
    }

    @Test
    void blockedPrefixesAreRefusedAndLongerOnesMayBeAllowed() throws IOException {
        RegistriesConfiguration configuration =
                read(
                        """
                        [[registry]]
                        location = "docker.io"
                        blocked = true
                        [[registry]]
                        location = "docker.io/library"
                        """);

        assertThatThrownBy(() -> sources(configuration, "docker.io/evil/x"))
                .isInstanceOfSatisfying(
                        ImageException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.FAILED_PRECONDITION))
                .hasMessageContaining("docker.io/evil/x")
                .hasMessageContaining("blocks 'docker.io'");
        assertThat(sources(configuration, "docker.io/busybox"))
                .containsExactly("docker.io/library/busybox");
    }

    private static List<String> candidates(RegistriesConfiguration configuration, String name) {
        return configuration.candidates(ImageName.parse(name)).stream()
                .map(ImageReference::toString)
                .toList();
    }

    @Test
    void shortNamesGoThroughAliasesAndSearchRegistries() throws IOException {
        String two = "unqualified-search-registries = [\"docker.io\", \"quay.io/me\"]\n";
        String aliases = "[aliases]\n\"app\" = \"example.com/real/app\"\n";

        assertThat(candidates(read(two + aliases), "app:2"))
                .containsExactly("example.com/real/app:2");
        assertThat(candidates(read(two + "short-name-mode = \"disabled\"\n"), "busybox"))
                .containsExactly("docker.io/library/busybox:latest", "quay.io/me/busybox:latest");
        assertThat(candidates(read(two + "short-name-mode = \"permissive\"\n"), "a/b:1"))
                .containsExactly("docker.io/a/b:1", "quay.io/me/a/b:1");
        RegistriesConfiguration enforcing = read(two);
        assertThat(enforcing.shortNameMode()).isEqualTo(ShortNameMode.ENFORCING);
        assertThatThrownBy(() -> candidates(enforcing, "busybox"))
                .hasMessageContaining("ambiguous")
                .hasMessageContaining("docker.io, quay.io/me");
        assertThat(candidates(read("unqualified-search-registries = [\"a.b\"]\n"), "busybox"))
                .containsExactly("a.b/busybox:latest");
        RegistriesConfiguration none = read("unqualified-search-registries = []\n");
        assertThatThrownBy(() -> candidates(none, "busybox:1"))
                .hasMessageContaining("'busybox:1' stands for no registry");
        assertThat(candidates(none, "a.b/c")).containsExactly("a.b/c:latest");
    }

    @Test
    void dropInsReplaceEntriesAndListsAndAddAliases() throws IOException {
        Files.writeString(
                dropIns.resolve("10-a.conf"),
                """
                unqualified-search-registries = ["second.com"]
                [[registry]]
                location = "example.com"
                insecure = false
                [aliases]
                "one" = ""
                "two" = "b.c/two"
                """);
        Files.writeString(
                dropIns.resolve("20-b.conf"),
                """
                short-name-mode = "disabled"
                [[registry]]
                location = "other.com"
                blocked = true
                """);
        Files.writeString(dropIns.resolve("30-not-read.conf.bak"), "nonsense");
        RegistriesConfiguration merged =
                read(
                        """
                        unqualified-search-registries = ["first.com", "third.com"]
                        credential-helpers = ["containers-auth.json", "secret"]
                        [[registry]]
                        location = "example.com"
                        insecure = true
                        [[registry]]
                        location = "kept.com"
                        insecure = true
                        [aliases]
                        "one" = "a.b/one"
                        "three" = "a.b/three"
                        """);

        assertThat(merged.unqualifiedSearchRegistries()).containsExactly("second.com");
        assertThat(merged.credentialHelpers()).containsExactly("containers-auth.json", "secret");
        assertThat(merged.shortNameMode()).isEqualTo(ShortNameMode.DISABLED);
        assertThat(sources(merged, "example.com/x:1")).containsExactly("example.com/x:1");
        assertThat(sources(merged, "kept.com/x:1")).containsExactly("kept.com/x:1 insecure");
        assertThatThrownBy(() -> sources(merged, "other.com/x")).hasMessageContaining("blocks");
        assertThat(merged.aliases()).containsOnlyKeys("two", "three");
    }

    @Test
    void onlyTheDefaultFileMayBeMissing() {
        assertThat(
                        RegistriesReader.read(
                                        RegistriesReader.DEFAULT_FILE, directory.resolve("no"))
                                .aliases())
                .isNotNull();
        assertThatThrownBy(() -> RegistriesReader.read(directory.resolve("missing.conf"), dropIns))
                .isInstanceOf(ImageException.class)
                .hasMessageContaining("missing.conf");
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '`',
            delimiter = '|',
            value = {
                "x = 1\\n[registries.search]\\nregistries = ['a'] | line 2 '[registries.search]' is of version 1 | unqualified-search-registries",
                "[registries.insecure]\\nregistries = ['a'] | line 1 | insecure = true",
                "\\n\\n  [registries.block]\\nregistries = [] | line 3 | blocked = true",
                "[[registry]]\\nlocation = 'a.b'\\ninsecure = 'yes' | [[registry]] 'a.b': insecure | true or false",
                "[[registry]]\\nlocation = 5 | location must be a text | number 1",
                "[[registry]]\\ninsecure = true | neither prefix nor location | number 1",
                "[[registry]]\\nlocation = 'https://a.b' | must not have a scheme | write 'a.b'",
                "[[registry]]\\nlocation = 'a b' | host 'a b' | location",
                "[[registry]]\\nprefix = 'a.*.b' | '*' can only be the first label | a.*.b",
                "[[registry]]\\nlocation = 'a.b'\\n[[registry.mirror]]\\ninsecure = true | has no location | mirror",
                "[[registry]]\\nlocation = 'a.b'\\n[[registry.mirror]]\\nlocation = 'c'\\npull-from-mirror = 'some' | 'some' | digest-only",
                "[[registry]]\\nlocation = 'a.b'\\nmirror-by-digest-only = true\\n[[registry.mirror]]\\nlocation = 'c'\\npull-from-mirror = 'all' | cannot be combined | mirror-by-digest-only",
                "[[registry]]\\nlocation = 'a.b'\\n[[registry]]\\nlocation = 'a.b'\\ninsecure = true | defined twice | a.b",
                "[registry]\\nlocation = 'a.b' | [[registry]] | must be written",
                "short-name-mode = 'maybe' | 'maybe' | permissive",
                "unqualified-search-registries = 'a.b' | list of texts | unqualified",
                "[aliases]\\n'a' = 'short' | has no registry | \"a\"",
                "[aliases]\\n'a' = 'b.c/d:1' | must not have a tag | \"a\"",
                "[aliases]\\n'a:1' = 'b.c/d' | without registry, tag or digest | \"a:1\"",
                "a = = | line 1 | not TOML",
            })
    void brokenFilesAreRefusedNamingFileAndPlace(String text, String one, String other) {
        assertThatThrownBy(() -> read(text.replace("\\n", "\n")))
                .isInstanceOfSatisfying(
                        ImageException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.INVALID_ARGUMENT))
                .hasMessageContaining(directory.resolve("registries.conf").toString())
                .hasMessageContaining(one)
                .hasMessageContaining(other);
    }

    @Test
    void aLocationWithoutAPathForAWholeRepositoryIsRefused() throws IOException {
        RegistriesConfiguration configuration =
                read("[[registry]]\nprefix = \"a.b/c\"\nlocation = \"d.e\"\n");

        assertThat(sources(configuration, "a.b/c/x:1")).containsExactly("d.e/x:1");
        assertThatThrownBy(() -> sources(configuration, "a.b/c:1"))
                .hasMessageContaining("give the location a path");
    }
}
