package io.crema.server.tls;

import io.crema.conf.ApiConfiguration;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * The certificate of one of our servers, and what its errors call things.
 *
 * @param server such as "the streaming server"
 * @param optionPrefix what the names of its options begin with, such as "stream_tls_"
 * @param authorities who must have signed the certificates of clients; absent for anybody
 * @param protocols from the oldest allowed one on, in JSSE's words
 * @param cipherSuites empty for the JDK's own choice
 */
public record TlsSettings(
        String server,
        String optionPrefix,
        Path certificate,
        Path key,
        Optional<Path> authorities,
        List<String> protocols,
        List<String> cipherSuites) {
    public TlsSettings {
        protocols = List.copyOf(protocols);
        cipherSuites = List.copyOf(cipherSuites);
    }

    /** With the versions and suites that all our servers share. */
    public static TlsSettings of(
            String server,
            String optionPrefix,
            Path certificate,
            Path key,
            Optional<Path> authorities,
            ApiConfiguration api) {
        List<String> protocols =
                switch (api.tlsMinimumVersion()) {
                    case TLS_1_2 -> List.of("TLSv1.2", "TLSv1.3");
                    case TLS_1_3 -> List.of("TLSv1.3");
                };
        return new TlsSettings(
                server,
                optionPrefix,
                certificate,
                key,
                authorities,
                protocols,
                api.tlsCipherSuites());
    }
}
