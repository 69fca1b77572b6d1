package io.crema.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class CniResultTest {
    private static CniResult result(String json) throws IOException {
        return CniResult.read(json.replace('\'', '"').getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void addressesOfVersion03AndOfVersion1() throws IOException {
        String v03 =
                "{'cniVersion':'0.3.1','ips':[{'version':'4','address':'10.0.0.2/24'},"
                        + "{'version':'6','address':'fd00::2/64'}]}";
        String v1 =
                "{'cniVersion':'1.0.0','ips':[{'address':'10.0.0.2/24'},{'address':'fd00::2/64'}]}";
        assertThat(result(v03).addresses())
                .containsExactly(
                        InetAddress.ofLiteral("10.0.0.2"), InetAddress.ofLiteral("fd00::2"));
        assertThat(result(v1).addresses()).isEqualTo(result(v03).addresses());
    }

    @Test
    void addressesOfTheHostsInterfacesAreNotThePods() throws IOException {
        CniResult result =
                result(
                        "{'interfaces':[{'name':'br0'},{'name':'eth0','sandbox':'/ns'}],"
                                + "'ips':[{'address':'10.0.0.1/24','interface':0},"
                                + "{'address':'10.0.0.2/24','interface':1}]}");
        assertThat(result.addresses()).containsExactly(InetAddress.ofLiteral("10.0.0.2"));
    }

    @Test
    void aBrokenAddressIsNamed() throws IOException {
        CniResult result = result("{'ips':[{'address':'example.org/24'}]}");
        assertThatThrownBy(result::addresses).hasMessageContaining("'example.org/24'");
    }

    @Test
    void olderPluginsGetTheAddressFamily() throws IOException {
        CniResult result =
                result(
                        "{'cniVersion':'1.0.0','ips':[{'address':'10.0.0.2/24'},{'address':'fd00::2/64'}]}");
        var converted = result.inVersion(CniVersion.V0_4_0);
        assertThat(converted.path("cniVersion").asText()).isEqualTo("0.4.0");
        assertThat(converted.path("ips").path(0).path("version").asText()).isEqualTo("4");
        assertThat(converted.path("ips").path(1).path("version").asText()).isEqualTo("6");
        assertThat(result.inVersion(CniVersion.V1_0_0).path("ips").path(0).has("version"))
                .isFalse();
    }
}
