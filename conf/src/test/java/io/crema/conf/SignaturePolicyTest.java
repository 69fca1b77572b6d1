package io.crema.conf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.conf.SignaturePolicy.Decision;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SignaturePolicyTest {
    private static final String ACCEPT = "[{\"type\": \"insecureAcceptAnything\"}]";
    private static final String REJECT = "[{\"type\": \"reject\"}]";

    @TempDir private Path directory;

    private static SignaturePolicy parse(String text) {
        return SignaturePolicy.parse("policy.json", text);
    }

    @ParameterizedTest
    @CsvSource({
        "docker.io/library/busybox:latest, ACCEPT",
        "registry.example/bad/image:1, REJECT",
        "registry.example/bad/image@sha256:aa, REJECT",
        "registry.example/bad, REJECT",
        "registry.example/badly/image:1, ACCEPT",
        "registry.example/bad/good/image:1, ACCEPT",
        "registry.example/bad/good/image:evil, REJECT",
        "registry.example/bad/good/image:evil@sha256:aa, REJECT",
        "localhost:5000/image, REJECT",
        "localhost:5001/image:1, ACCEPT",
        "a.b.untrusted.example/image:1, REJECT",
        "untrusted.example/image:1, ACCEPT",
        "nountrusted.example/image:1, ACCEPT",
    })
    void theMostSpecialScopeWins(String reference, Decision decision) {
        SignaturePolicy policy =
                parse(
                        """
                        {
                          "default": %1$s,
                          "transports": {
                            "docker": {
                              "registry.example/bad": %2$s,
                              "registry.example/bad/good": %1$s,
                              "registry.example/bad/good/image:evil": %2$s,
                              "localhost:5000": %2$s,
                              "*.untrusted.example": %2$s
                            }
                          }
                        }
                        """
                                .formatted(ACCEPT, REJECT));
        assertThat(policy.ofRegistryImage(reference)).isEqualTo(decision);
    }

    @Test
    void theTransportsOwnDefaultComesBeforeTheGeneralOne() {
        SignaturePolicy policy =
                parse(
                        "{\"default\": %s, \"transports\": {\"docker\": {\"\": %s}}}"
                                .formatted(REJECT, ACCEPT));
        assertThat(policy.ofRegistryImage("docker.io/library/busybox:1"))
                .isEqualTo(Decision.ACCEPT);
        assertThat(policy.ofFile("oci-archive")).isEqualTo(Decision.REJECT);
    }

    @Test
    void scopesOfFilesAreTakenStrictly() {
        SignaturePolicy policy =
                parse(
                        "{\"default\": %1$s, \"transports\": {\"oci\": {\"/srv\": %2$s, \"\": %1$s}}}"
                                .formatted(ACCEPT, REJECT));
        assertThat(policy.ofFile("oci")).isEqualTo(Decision.REJECT);
        assertThat(policy.ofFile("docker-archive")).isEqualTo(Decision.ACCEPT);
    }

    @Test
    void oneRejectionAmongRequirementsIsEnough() {
        SignaturePolicy policy =
                parse(
                        "{\"default\": [{\"type\":\"insecureAcceptAnything\"},{\"type\":\"reject\"}]}");
        assertThat(policy.ofRegistryImage("a/b:1")).isEqualTo(Decision.REJECT);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{}|'default' is missing",
                "[]|the file must be an object",
                "|the file must be an object",
                "{|not JSON",
                "{\"default\": []}|default must be a list of at least one requirement",
                "{\"default\": {}}|default must be a list",
                "{\"default\": [5]}|default must be an object",
                "{\"default\": [{\"type\": \"trust\"}]}|default has the unknown type 'trust'",
                "{\"default\": [{\"type\": \"signedBy\", \"keyType\": \"GPGKeys\"}]}|asks for"
                        + " 'signedBy', but Crema cannot verify signatures yet",
                "{\"default\": [{\"type\": \"sigstoreSigned\"}]}|asks for 'sigstoreSigned'",
                "{\"default\": [{\"type\": \"reject\", \"x\": 1}]}|unknown key 'x'",
                "{\"default\": [{\"type\": \"reject\"}], \"defualt\": 1}|unknown key 'defualt'",
                "{\"default\": [{\"type\":\"reject\"}], \"default\":"
                        + " [{\"type\":\"insecureAcceptAnything\"}]}|Duplicate",
                "{\"default\": [{\"type\": \"reject\"}]} {}|not JSON",
                "{\"default\": [{\"type\": \"reject\"}], \"transports\": {\"docker\": {\"a/b\":"
                        + " [{\"type\": \"signedBy\"}]}}}|transports.docker.'a/b' asks for",
            })
    void whatCannotBeEnforcedIsRefused(String text, String problem) {
        assertThatThrownBy(() -> parse(text == null ? "" : text))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageStartingWith("policy.json: ")
                .hasMessageContaining(problem);
    }

    @Test
    void aNamedFileMustExistAndTheSystemsNeedNot() throws IOException {
        Path file = directory.resolve("policy.json");
        assertThatThrownBy(() -> SignaturePolicy.read(file, false))
                .hasMessage(file + ": there is no such file");
        assertThat(SignaturePolicy.read(file, true).ofRegistryImage("a/b:1"))
                .isEqualTo(Decision.ACCEPT);
        Files.writeString(file, "{\"default\": " + REJECT + "}");
        ImageSettings settings =
                new ConfigurationLoader(new HostFacts(true))
                        .parse("[crio.image]\nsignature_policy = '" + file + "'")
                        .configuration()
                        .image();
        assertThat(SignaturePolicy.read(settings).ofRegistryImage("a/b:1"))
                .isEqualTo(Decision.REJECT);
    }

    @Test
    void theShippedPolicyIsEnforced() throws IOException {
        SignaturePolicy policy = parse(Files.readString(Path.of("files/policy.json")));
        assertThat(policy.ofRegistryImage("registry.example/forbidden/image:1"))
                .isEqualTo(Decision.REJECT);
        assertThat(policy.ofRegistryImage("docker.io/library/busybox:1"))
                .isEqualTo(Decision.ACCEPT);
    }
}
