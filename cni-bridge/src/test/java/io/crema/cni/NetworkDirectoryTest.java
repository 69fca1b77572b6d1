package io.crema.cni;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.cni.NetworkDirectory.Found;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NetworkDirectoryTest {
    private static final String LIST =
            "{'cniVersion':'1.0.0','name':'%s','plugins':[{'type':'bridge'}]}";

    @TempDir Path directory;

    private void write(String file, String content) throws IOException {
        Files.writeString(directory.resolve(file), content.replace('\'', '"'));
    }

    private Found read() {
        return read("");
    }

    private Found read(String defaultNetwork) {
        return new NetworkDirectory(directory, defaultNetwork).read();
    }

    @Test
    void theLexicallyFirstFileWins() throws IOException {
        write("20-b.conflist", LIST.formatted("second"));
        write("10-a.conflist", LIST.formatted("first"));
        write("05-a.txt", "not for us");
        assertThat(read().network().orElseThrow().name()).isEqualTo("first");
        assertThat(read().invalid()).isEmpty();
        assertThat(read().problem()).isEmpty();
    }

    @Test
    void anInvalidFileIsPassedOverAndNamed() throws IOException {
        write("10-a.conflist", "{'cniVersion':'1.0.0',");
        write("20-b.conflist", LIST.formatted("second"));
        Found found = read();
        assertThat(found.network().orElseThrow().name()).isEqualTo("second");
        assertThat(found.invalidFiles()).startsWith("10-a.conflist: not JSON: ").contains("line 1");
    }

    @Test
    void theDefaultNetworkIsFoundByName() throws IOException {
        write("10-a.conflist", LIST.formatted("first"));
        write("20-b.conflist", LIST.formatted("second"));
        assertThat(read("second").network().orElseThrow().source()).endsWith("20-b.conflist");
        assertThat(read("third").network()).isEmpty();
        assertThat(read("third").problem()).contains("'third'").contains("first, second");
    }

    @Test
    void aMissingOrEmptyDirectorySaysWhatToDo() {
        assertThat(read().problem()).contains(directory.toString()).contains(".conflist");
        assertThat(new NetworkDirectory(directory.resolve("x"), "").read().problem())
                .contains("does not exist");
    }

    @Test
    void aSinglePluginIsWrappedIntoAList() throws IOException {
        write("10-a.conf", "{'cniVersion':'0.4.0','name':'one','type':'bridge','mtu':1400}");
        NetworkConfiguration network = read().network().orElseThrow();
        assertThat(network.version()).isEqualTo(CniVersion.V0_4_0);
        assertThat(network.plugins()).hasSize(1);
        assertThat(network.plugins().getFirst().json().path("mtu").intValue()).isEqualTo(1400);
        assertThat(network.json().path("plugins").path(0).path("type").asText())
                .isEqualTo("bridge");
    }

    @Test
    void theHighestKnownOfSeveralVersionsIsTaken() throws IOException {
        write(
                "10-a.conflist",
                "{'cniVersions':['0.4.0','1.1.0','9.0.0'],'cniVersion':'0.4.0','name':'n',"
                        + "'plugins':[{'type':'bridge'}]}");
        NetworkConfiguration network = read().network().orElseThrow();
        assertThat(network.version()).isEqualTo(CniVersion.V1_1_0);
        assertThat(network.json().has("cniVersions")).isFalse();
    }

    @Test
    void pluginsMayLieInADirectoryNamedLikeTheNetwork() throws IOException {
        write("10-a.conflist", LIST.formatted("net"));
        Files.createDirectory(directory.resolve("net"));
        write("net/20-b.conf", "{'type':'second'}");
        write("net/10-a.conf", "{'type':'first'}");
        assertThat(types()).containsExactly("bridge", "first", "second");
        write(
                "10-a.conflist",
                "{'cniVersion':'1.0.0','name':'net','loadOnlyInlinedPlugins':true,"
                        + "'plugins':[{'type':'bridge'}]}");
        assertThat(types()).containsExactly("bridge");
    }

    private List<String> types() {
        return read().network().orElseThrow().plugins().stream()
                .map(PluginConfiguration::type)
                .toList();
    }

    @Test
    void onlyCapabilitiesThatAreTrueCount() throws IOException {
        write(
                "10-a.conflist",
                "{'cniVersion':'1.0.0','name':'n','disableCheck':true,'disableGC':'TRUE',"
                        + "'plugins':[{'type':'portmap','capabilities':"
                        + "{'portMappings':true,'dns':false}}]}");
        NetworkConfiguration network = read().network().orElseThrow();
        assertThat(network.wants("portMappings")).isTrue();
        assertThat(network.wants("dns")).isFalse();
        assertThat(network.disableCheck()).isTrue();
        assertThat(network.disableGc()).isTrue();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '~',
            value = {
                "a.conflist | [] | object is expected, not array",
                "a.conflist | {} | 'name' is missing",
                "a.conflist | {'name':'n','plugins':[{'type':'b'}]} | 'cniVersion' is missing",
                "a.conflist | {'name':'n','cniVersion':'0.2.0','plugins':[]} | '0.2.0' is not",
                "a.conflist | {'name':'n','cniVersion':'1.0.0','plugins':[]} | at least one plugin",
                "a.conflist | {'name':'n','cniVersion':'1.0.0','plugins':{}} | must be an array",
                "a.conflist | {'name':'../n','cniVersion':'1.0.0'} | must start with a letter",
                "a.conflist | {'name':'n','cniVersion':'1.0.0','plugins':[{}]} | 'type' is missing",
                "a.conflist | {'name':'n','cniVersion':'1.0.0','plugins':[{'type':'../sh'}]} | plain",
                "a.conflist | {'name':'n','cniVersion':'1.0.0','disableGC':3,'plugins':[{'type':'b'}]} | true or false",
                "a.conflist | {'name':'n','cniVersion':'1.0.0','plugins':[{'type':'b'}]} {} | not JSON",
                "a.conf | {'name':'n','cniVersion':'1.0.0','plugins':[{'type':'b'}]} | .conflist",
                "a.conf | {'name':'n','cniVersion':'1.0.0'} | 'type' is missing",
            })
    void whatIsWrongIsSaid(String file, String content, String words) throws IOException {
        write(file, content);
        Found found = read();
        assertThat(found.network()).isEmpty();
        assertThat(found.invalidFiles()).contains(words);
    }
}
