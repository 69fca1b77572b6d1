package io.crema.conf;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The files in {@code conf/files}, which packages put into {@code /etc} and {@code /usr}. */
class ShippedFilesTest {
    private static final Path FILES = Path.of("files");

    private final ConfigurationLoader loader = new ConfigurationLoader(new HostFacts(true));
    private final ObjectMapper json = new ObjectMapper();

    @Test
    void theConfigurationFileHoldsTheDefaults() throws IOException {
        Path file = FILES.resolve("crema.conf");
        String defaults = loader.defaults().toToml();
        if (Boolean.getBoolean("crema.writeFiles")) {
            Files.writeString(file, defaults);
        }
        assertThat(Files.readString(file))
                .as(
                        "conf/files/crema.conf is what `crema config --default` prints; after a"
                                + " change of options write it anew: mvn -pl conf"
                                + " -Dtest=ShippedFilesTest -Dcrema.writeFiles=true test")
                .isEqualTo(defaults);
    }

    @Test
    void everyExampleChangesSomethingWithoutWarning() throws IOException {
        List<Path> examples;
        try (Stream<Path> files = Files.list(FILES.resolve("crema.conf.d.examples"))) {
            examples = files.toList();
        }
        assertThat(examples)
                .isNotEmpty()
                .allSatisfy(example -> {
                    LoadedConfiguration loaded = loader.parse(Files.readString(example));
                    assertThat(loaded.warnings()).isEmpty();
                    assertThat(loaded.configuration())
                            .isNotEqualTo(loader.defaults().configuration());
                });
    }

    @Test
    void theNetworkIsABridgeWithHostPorts() throws IOException {
        JsonNode list = json.readTree(Files.readString(FILES.resolve("10-crema-bridge.conflist")));
        assertThat(list.get("cniVersion").asText()).isEqualTo("1.0.0");
        List<String> types = new ArrayList<>();
        list.get("plugins").forEach(plugin -> types.add(plugin.get("type").asText()));
        assertThat(types).containsExactly("bridge", "portmap");
        assertThat(list.get("plugins").get(1).get("capabilities").get("portMappings").asBoolean())
                .isTrue();
        // The kernel takes interface names of at most 15 bytes.
        assertThat(list.get("plugins").get(0).get("bridge").asText().length())
                .isLessThanOrEqualTo(15);
    }

    @Test
    void theServiceKeepsContainersAliveAndReloads() throws IOException {
        assertThat(Files.readAllLines(FILES.resolve("crema.service")))
                .contains(
                        "Before=kubelet.service",
                        "Type=notify",
                        "KillMode=process",
                        "OOMScoreAdjust=-999",
                        "ExecReload=/bin/kill -HUP $MAINPID");
    }

    @Test
    void crictlFindsTheDefaultSocket() throws IOException {
        String socket = "unix://" + loader.defaults().configuration().api().listen();
        assertThat(Files.readAllLines(FILES.resolve("crictl.yaml")))
                .contains("runtime-endpoint: " + socket, "image-endpoint: " + socket);
    }

    @Test
    void thePolicyAcceptsByDefault() throws IOException {
        JsonNode policy = json.readTree(Files.readString(FILES.resolve("policy.json")));
        assertThat(policy.at("/default/0/type").asText()).isEqualTo("insecureAcceptAnything");
    }

    @Test
    void theRegistriesFileIsOfVersion2AlsoWithItsSamplesSwitchedOn() throws Exception {
        String text = Files.readString(FILES.resolve("registries.conf"));
        assertThat(TomlReader.read(text).values())
                .containsOnlyKeys("unqualified-search-registries", "short-name-mode");
        String samples =
                text.lines()
                        .map(line -> line.matches("# [\\[\"a-z].*[\\]\"a-z]") ? sample(line) : line)
                        .reduce("", (all, line) -> all + line + "\n");
        assertThat(TomlReader.read(samples).values()).containsKeys("registry", "aliases");
    }

    private static String sample(String line) {
        return line.contains(" = ") || line.startsWith("# [") ? line.substring(2) : line;
    }
}
