package io.crema.image.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.image.ImageException;
import io.crema.image.reference.ImageReference;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class SignatureLocationsTest {
    @TempDir Path directory;

    @ParameterizedTest
    @CsvSource({
        "a.test/ns/app:1, https://sig.test/top/ns/app, true",
        "a.test/other/app:1, file:///srv/a/other/app, false",
        "a.test/other@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,"
                + " file:///srv/a/other, false",
        "b.test/app:special, file:///default/app, true",
        "b.test/app:1, file:///default/app, false",
        "c.test/app:1, http://old.test/app, false",
    })
    void theMostSpecialScopeThatSaysSomethingDecides(
            String name, String lookaside, boolean attachments) throws IOException {
        Files.writeString(
                directory.resolve("one.yaml"),
                """
                # Signatures
                default-docker:
                  lookaside: file:///default
                docker:
                  a.test:
                    lookaside: file:///srv/a
                  a.test/ns:
                    use-sigstore-attachments: true
                    lookaside: 'https://sig.test/top/'
                """);
        Files.writeString(
                directory.resolve("two.yaml"),
                """
                docker:
                  "b.test/app:special": {use-sigstore-attachments: true}
                  c.test:
                    sigstore: http://old.test
                    sigstore-staging: file:///staging
                """);
        Files.writeString(directory.resolve("empty.yaml"), "# nothing\n");
        Files.writeString(directory.resolve("other.txt"), "not: [read");
        SignatureLocations locations = SignatureLocations.read(directory);
        ImageReference reference = ImageReference.parse(name);
        assertThat(locations.lookaside(reference)).hasToString(lookaside);
        assertThat(locations.useAttachments(reference)).isEqualTo(attachments);
    }

    @Test
    void withoutFilesSignaturesLieInTheStandardDirectory() {
        SignatureLocations locations = SignatureLocations.read(directory.resolve("absent"));
        ImageReference reference = ImageReference.parse("a.test/b:1");
        assertThat(locations.lookaside(reference))
                .hasToString("file:///var/lib/containers/sigstore/b");
        assertThat(locations.useAttachments(reference)).isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "docker: [a]",
                "docker: {a.test: {lookasaid: 'file:///x'}}",
                "docker: {a.test: {lookaside: 'ftp://x'}}",
                "docker: {a.test: {use-sigstore-attachments: perhaps}}",
                "docker: {a.test: 5}",
                "dokcer: {}",
                "- a",
                "docker: {a.test: {}, a.test: {}}",
                "docker: {",
                "docker: {}\n---\ndocker: {a.test: {}}",
                "docker: !!javax.script.ScriptEngineManager [x]",
            })
    void whatIsNotUnderstoodIsRefused(String text) throws IOException {
        Path file = Files.writeString(directory.resolve("bad.yaml"), text);
        assertThatThrownBy(() -> SignatureLocations.read(directory))
                .isInstanceOf(ImageException.class)
                .hasMessageStartingWith(file + " ");
    }

    @Test
    void aScopeIsDescribedOnce() throws IOException {
        Files.writeString(directory.resolve("a.yaml"), "docker: {a.test: {}}");
        Files.writeString(directory.resolve("b.yaml"), "docker: {a.test: {}}");
        assertThatThrownBy(() -> SignatureLocations.read(directory))
                .hasMessageContaining("'a.test' a second time");
    }
}
