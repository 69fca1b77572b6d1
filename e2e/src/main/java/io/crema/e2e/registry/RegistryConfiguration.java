package io.crema.e2e.registry;

import java.nio.file.Path;

/** How a docker-registry listens on loopback and whom it lets in. */
public record RegistryConfiguration(int port, Access access) {
    /** Whom a registry lets in. */
    public sealed interface Access {}

    /** Everybody may read and write. */
    public record Anybody() implements Access {}

    /**
     * Users of a password file.
     *
     * @param passwords made by htpasswd with bcrypt
     */
    public record Passwords(Path passwords) implements Access {}

    /**
     * Bearers of a token that someone else signed.
     *
     * @param realm where tokens are handed out
     * @param certificate PEM certificate of the signer
     */
    public record Tokens(String realm, String service, String issuer, Path certificate)
            implements Access {}

    public String address() {
        return "127.0.0.1:" + port;
    }

    /**
     * The registry's configuration file.
     *
     * @param storage directory of its blobs
     * @param secret where the registry itself finds the password or certificate file
     */
    public String yaml(Path storage, Path secret) {
        String who =
                switch (access) {
                    case Anybody _ -> "";
                    case Passwords _ ->
                            """
                            auth:
                              htpasswd: { realm: e2e, path: %s }
                            """
                                    .formatted(secret);
                    case Tokens(String realm, String service, String issuer, Path _) ->
                            """
                            auth:
                              token: { realm: "%s", service: "%s", issuer: "%s", rootcertbundle: %s }
                            """
                                    .formatted(realm, service, issuer, secret);
                };
        return """
        version: 0.1
        log: { level: info }
        storage:
          filesystem: { rootdirectory: %s }
          delete: { enabled: true }
        http: { addr: "%s", secret: e2e }
        """
                        .formatted(storage, address())
                + who;
    }

    /**
     * The password or certificate file on this machine; the configuration file when there is none.
     */
    public Path secretOr(Path otherwise) {
        return switch (access) {
            case Anybody _ -> otherwise;
            case Passwords(Path passwords) -> passwords;
            case Tokens(String _, String _, String _, Path certificate) -> certificate;
        };
    }
}
