package io.crema.conf;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SignaturePolicyTest {
    private static final String ACCEPT = "[{\"type\": \"insecureAcceptAnything\"}]";
    private static final String REJECT = "[{\"type\": \"reject\"}]";

    @TempDir private Path directory;

    /** What a list of requirements without signatures comes to. */
    enum Decision {
        ACCEPT,
        REJECT
    }

    private static Decision decision(List<SignatureRequirement> requirements) {
        return requirements.contains(new SignatureRequirement.Reject())
                ? Decision.REJECT
                : Decision.ACCEPT;
    }

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
        assertThat(decision(policy.ofRegistryImage(reference))).isEqualTo(decision);
    }

    @Test
    void theTransportsOwnDefaultComesBeforeTheGeneralOne() {
        SignaturePolicy policy =
                parse(
                        "{\"default\": %s, \"transports\": {\"docker\": {\"\": %s}}}"
                                .formatted(REJECT, ACCEPT));
        assertThat(decision(policy.ofRegistryImage("docker.io/library/busybox:1")))
                .isEqualTo(Decision.ACCEPT);
        assertThat(decision(policy.ofFile("oci-archive"))).isEqualTo(Decision.REJECT);
    }

    @Test
    void scopesOfFilesAreTakenStrictly() {
        SignaturePolicy policy =
                parse(
                        "{\"default\": %1$s, \"transports\": {\"oci\": {\"/srv\": %2$s, \"\": %1$s}}}"
                                .formatted(ACCEPT, REJECT));
        assertThat(decision(policy.ofFile("oci"))).isEqualTo(Decision.REJECT);
        assertThat(decision(policy.ofFile("docker-archive"))).isEqualTo(Decision.ACCEPT);
    }

    @Test
    void oneRejectionAmongRequirementsIsEnough() {
        SignaturePolicy policy =
                parse(
                        "{\"default\": [{\"type\":\"insecureAcceptAnything\"},{\"type\":\"reject\"}]}");
        assertThat(decision(policy.ofRegistryImage("a/b:1"))).isEqualTo(Decision.REJECT);
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
                        + " 'signedBy', but Crema cannot verify GPG signatures",
                "{\"default\": [{\"type\": \"sigstoreSigned\"}]}|exactly one of keyPath",
                "{\"default\": [{\"type\": \"sigstoreSigned\", \"keyPath\": \"/a\","
                        + " \"keyData\": \"YQ==\"}]}|exactly one of keyPath",
                "{\"default\": [{\"type\": \"sigstoreSigned\", \"keyPaths\": []}]}|must be a"
                        + " list of texts",
                "{\"default\": [{\"type\": \"sigstoreSigned\", \"keyPath\": \"key\"}]}|must be"
                        + " absolute",
                "{\"default\": [{\"type\": \"sigstoreSigned\", \"keyPath\":"
                        + " \"/no/such/key\"}]}|/no/such/key, which cannot be read",
                "{\"default\": [{\"type\": \"sigstoreSigned\", \"keyData\": \"?\"}]}|not base64",
                "{\"default\": [{\"type\": \"sigstoreSigned\", \"fulcio\": {}}]}|asks for 'fulcio'",
                "{\"default\": [{\"type\": \"sigstoreSigned\", \"keyData\": \"YQ==\","
                        + " \"signedIdentity\": {\"type\": \"any\"}}]}|unknown type 'any'",
                "{\"default\": [{\"type\": \"sigstoreSigned\", \"keyData\": \"YQ==\","
                        + " \"signedIdentity\": {\"type\": \"exactReference\"}}]}|lacks"
                        + " 'dockerReference'",
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
        assertThat(decision(SignaturePolicy.read(file, true).ofRegistryImage("a/b:1")))
                .isEqualTo(Decision.ACCEPT);
        Files.writeString(file, "{\"default\": " + REJECT + "}");
        ImageSettings settings =
                new ConfigurationLoader(new HostFacts(true))
                        .parse("[crio.image]\nsignature_policy = '" + file + "'")
                        .configuration()
                        .image();
        assertThat(decision(SignaturePolicy.read(settings).ofRegistryImage("a/b:1")))
                .isEqualTo(Decision.REJECT);
    }

    @Test
    void theShippedPolicyIsEnforced() throws IOException {
        SignaturePolicy policy = parse(Files.readString(Path.of("files/policy.json")));
        assertThat(decision(policy.ofRegistryImage("registry.example/forbidden/image:1")))
                .isEqualTo(Decision.REJECT);
        assertThat(decision(policy.ofRegistryImage("docker.io/library/busybox:1")))
                .isEqualTo(Decision.ACCEPT);
    }

    @Test
    void keysComeFromFilesAndFromThePolicyItself() throws IOException {
        Path key = Files.writeString(directory.resolve("key.pub"), "one");
        String text =
                """
                {"default": [
                  {"type": "sigstoreSigned", "keyPath": "%1$s"},
                  {"type": "sigstoreSigned", "keyPaths": ["%1$s", "%1$s"],
                   "signedIdentity": {"type": "matchRepository"}},
                  {"type": "sigstoreSigned", "keyData": "dHdv",
                   "signedIdentity": {"type": "remapIdentity", "prefix": "a.example",
                     "signedPrefix": "b.example"}}]}
                """
                        .formatted(key);
        SignatureRequirement.Key one = new SignatureRequirement.Key(key.toString(), "one");
        assertThat(parse(text).ofRegistryImage("a/b:1"))
                .containsExactly(
                        new SignatureRequirement.SigstoreSigned(
                                List.of(one), new SignedIdentity.MatchRepoDigestOrExact()),
                        new SignatureRequirement.SigstoreSigned(
                                List.of(one, one), new SignedIdentity.MatchRepository()),
                        new SignatureRequirement.SigstoreSigned(
                                List.of(
                                        new SignatureRequirement.Key(
                                                "a key in policy.json", "two")),
                                new SignedIdentity.RemapIdentity("a.example", "b.example")));
        assertThat(parse(text).asksNothing()).isFalse();
        assertThat(parse("{\"default\": " + ACCEPT + "}").asksNothing()).isTrue();
    }

    @Test
    void onlyAPolicyThatIsCertainlyMissingLetsANamespaceBe() throws IOException {
        ImageSettings settings =
                new ConfigurationLoader(new HostFacts(true))
                        .parse("[crio.image]\nsignature_policy_dir = '" + directory + "'")
                        .configuration()
                        .image();
        assertThat(SignaturePolicy.ofNamespace(settings, "team")).isEmpty();
        Files.createSymbolicLink(directory.resolve("team.json"), directory.resolve("nowhere"));
        assertThatThrownBy(() -> SignaturePolicy.ofNamespace(settings, "team"))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("team.json");
    }
}
