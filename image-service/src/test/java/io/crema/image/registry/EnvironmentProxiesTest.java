package io.crema.image.registry;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.URI;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EnvironmentProxiesTest {
    private static final Map<String, String> ENVIRONMENT =
            Map.of(
                    "HTTP_PROXY",
                    "http://plain:3128",
                    "https_proxy",
                    "http://user:pw@tls:3129",
                    "NO_PROXY",
                    "corp.com, .inside.net,10.0.0.0/8,fd00::/16,only.port:8443,192.168.1.1");

    @ParameterizedTest
    @CsvSource({
        "http://a.b/, plain:3128",
        "https://a.b/, tls:3129",
        "https://corp.com/, ''",
        "https://x.corp.com/, ''",
        "https://notcorp.com/, tls:3129",
        "https://x.inside.net/, ''",
        "https://10.1.2.3:5000/, ''",
        "https://11.1.2.3/, tls:3129",
        "https://[fd00::1]/, ''",
        "https://[fd01::1]/, tls:3129",
        "https://only.port:8443/, ''",
        "https://only.port/, tls:3129",
        "https://192.168.1.1/, ''",
        "http://127.0.0.1:5000/, ''",
        "http://localhost:5000/, ''",
        "http://[::1]:5000/, ''",
    })
    void theEnvironmentDecides(String uri, String proxy) {
        EnvironmentProxies proxies = new EnvironmentProxies(ENVIRONMENT);
        Object address = proxies.select(URI.create(uri)).address();

        if (proxy.isEmpty()) {
            assertThat(address).isNull();
        } else {
            assertThat(String.valueOf(address)).startsWith(proxy.substring(0, proxy.indexOf(':')));
            assertThat(String.valueOf(address)).endsWith(proxy.substring(proxy.indexOf(':')));
        }
    }

    @Test
    void userAndPasswordGoToTheirProxyOnly() {
        EnvironmentProxies proxies = new EnvironmentProxies(ENVIRONMENT);

        assertThat(proxies.authorization(URI.create("https://a.b/")))
                .isEqualTo("Basic dXNlcjpwdw==");
        assertThat(proxies.authorization(URI.create("http://a.b/"))).isEmpty();
        assertThat(proxies.authorization(URI.create("https://corp.com/"))).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"socks5://x:1", "http://", "ht tp://x", "https://x:1"})
    void proxiesThatCannotWorkAreRefused(String value) {
        assertThatThrownBy(() -> new EnvironmentProxies(Map.of("HTTPS_PROXY", value)))
                .hasMessageContaining("HTTPS_PROXY");
    }

    @Test
    void aStarMeansNoProxyAtAll() {
        EnvironmentProxies proxies =
                new EnvironmentProxies(Map.of("http_proxy", "p:1", "no_proxy", "*"));

        assertThat(proxies.select(URI.create("http://a.b/")).address()).isNull();
    }
}
