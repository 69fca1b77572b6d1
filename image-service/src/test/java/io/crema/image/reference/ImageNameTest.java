package io.crema.image.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class ImageNameTest {
    private static final String DIGEST =
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    @ParameterizedTest
    @CsvSource({
        "docker.io/busybox, docker.io/library/busybox",
        "index.docker.io/busybox:1, docker.io/library/busybox:1",
        "docker.io/library/busybox, docker.io/library/busybox",
        "docker.io/me/app, docker.io/me/app",
        "registry.k8s.io/pause:3.10.1, registry.k8s.io/pause:3.10.1",
        "127.0.0.1:5000/e2e-test-images/busybox:1.29-2,"
                + " 127.0.0.1:5000/e2e-test-images/busybox:1.29-2",
        "localhost/a, localhost/a",
        "localhost:5000/a/b/c, localhost:5000/a/b/c",
        "[::1]:5000/a:t, [::1]:5000/a:t",
        "[fd00:1:2::3]/a, [fd00:1:2::3]/a",
        "Host/a, Host/a",
        "a.b/c__d/e---f:T_.-1, a.b/c__d/e---f:T_.-1",
    })
    void fullNamesHaveOneNormalForm(String text, String normal) {
        assertThat(ImageReference.parse(text)).hasToString(normal);
        assertThat(ImageReference.parse(normal)).isEqualTo(ImageReference.parse(text));
    }

    @Test
    void tagAndDigestAreKeptAndTheDigestDecides() {
        ImageReference both = ImageReference.parse("a.b/c:v1@" + DIGEST);

        assertThat(both.tag()).contains("v1");
        assertThat(both.digest()).contains(Digest.parse(DIGEST));
        assertThat(both.manifestName()).isEqualTo(DIGEST);
        assertThat(both).hasToString("a.b/c:v1@" + DIGEST);
        assertThat(both.withDefaultTag()).isEqualTo(both);
        assertThat(both.withDigest(Digest.parse(DIGEST))).hasToString("a.b/c@" + DIGEST);
    }

    @Test
    void theDefaultTagIsLatest() {
        assertThat(ImageReference.parse("a.b/c").withDefaultTag()).hasToString("a.b/c:latest");
        assertThat(ImageReference.parse("a.b/c@" + DIGEST).withDefaultTag())
                .hasToString("a.b/c@" + DIGEST);
    }

    @ParameterizedTest
    @ValueSource(strings = {"busybox", "busybox:1", "me/app", "host:5000", "me/app@" + DIGEST})
    void namesWithoutARegistryAreShort(String text) {
        assertThat(ImageName.parse(text)).isInstanceOf(ShortName.class).hasToString(text);
        assertThatThrownBy(() -> ImageReference.parse(text))
                .isInstanceOf(ImageException.class)
                .hasMessageContaining("'" + text + "' has no registry");
    }

    @Test
    void aShortNameIsCompletedByARegistryWithOrWithoutAPath() {
        ShortName name = (ShortName) ImageName.parse("busybox:1");

        assertThat(name.at("docker.io")).hasToString("docker.io/library/busybox:1");
        assertThat(name.at("quay.io/me")).hasToString("quay.io/me/busybox:1");
    }

    @ParameterizedTest
    @CsvSource({
        "a.b/UPPER, 'path component ''UPPER'''",
        "a.b/c//d, 'path component '''''",
        "a.b/c/, 'path component '''''",
        "a.b/-c, 'path component ''-c'''",
        "a.b/c-, 'path component ''c-'''",
        "a.b/c..d, 'path component ''c..d'''",
        "a.b/c___d, 'path component ''c___d'''",
        "a.b/c._d, 'path component ''c._d'''",
        "a.b/c-_d, 'path component ''c-_d'''",
        "a.b/c d, 'path component ''c d'''",
        "a.b/../etc, 'path component ''..'''",
        "a.b/c:, 'tag '''''",
        "a.b/c:-x, 'tag ''-x'''",
        "a.b/c:x y, 'tag ''x y'''",
        "a.b/c:ä, 'tag ''ä'''",
        "a.b/c@sha256:12, 64 lower-case hexadecimal",
        "a.b/c@md5:00, unknown digest algorithm 'md5'",
        "a.b/c@, digest must be algorithm:hex",
        "a..b/c, 'host ''a..b'''",
        "-a.b/c, 'host ''-a.b'''",
        "a.b:x/c, 'port ''x'''",
        "a.b:70000/c, 'port ''70000'''",
        "a.b:/c, 'port '''''",
        "https://a.b/c, 'port '''''",
        "[::1/c, ends with ']'",
        "[zz]/c, IPv6",
        "/c, 'path component '''''",
    })
    void malformedNamesAreRefusedQuotingTheBadPart(String text, String quoted) {
        assertThatThrownBy(() -> ImageName.parse(text))
                .isInstanceOfSatisfying(
                        ImageException.class,
                        e -> assertThat(e.kind()).isEqualTo(ErrorKind.INVALID_ARGUMENT))
                .hasMessageContaining(text)
                .hasMessageContaining(quoted);
    }

    @Test
    void lengthsAreBounded() {
        String longest = "a.b/" + "c".repeat(251);
        assertThat(ImageReference.parse(longest)).hasToString(longest);
        assertThatThrownBy(() -> ImageName.parse(longest + "c"))
                .hasMessageContaining("too long, 255");
        assertThatThrownBy(() -> ImageName.parse("c".repeat(100_000)))
                .hasMessageContaining("100000 characters")
                .satisfies(e -> assertThat(e.getMessage()).hasSizeLessThan(200));
        assertThat(ImageName.parse("a.b/c:" + "t".repeat(128)).tag()).isPresent();
        assertThatThrownBy(() -> ImageName.parse("a.b/c:" + "t".repeat(129)))
                .hasMessageContaining("1 to 128");
    }

    @Test
    void emptyNamesAndImageIdsAreNoNames() {
        assertThatThrownBy(() -> ImageName.parse("")).hasMessageContaining("is empty");
        assertThatThrownBy(() -> ImageName.parse(DIGEST.substring(7)))
                .hasMessageContaining("an image id, not a name");
    }
}
