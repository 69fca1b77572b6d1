package io.crema.e2e.registry;

import io.crema.e2e.node.Shell;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.List;

/** Key pairs with self-signed certificates, made by the JDK's keytool for two days. */
public final class TestKeys {
    /** Under which name the only pair of a store is found. */
    public static final String ALIAS = "key";

    private static final String PASSWORD = "crema-e2e";

    private TestKeys() {}

    /**
     * A store with one pair.
     *
     * @param directory where its file is made; the caller's to delete
     * @param algorithm RSA or EC
     * @param more further arguments of keytool
     */
    public static KeyStore make(Path directory, String algorithm, String name, String... more)
            throws IOException, GeneralSecurityException {
        Path store = directory.resolve("key.p12");
        List<String> command =
                new ArrayList<>(
                        List.of(
                                Path.of(System.getProperty("java.home"), "bin/keytool").toString(),
                                "-genkeypair",
                                "-alias",
                                ALIAS,
                                "-keyalg",
                                algorithm,
                                "-dname",
                                "CN=" + name,
                                "-validity",
                                "2",
                                "-storetype",
                                "PKCS12",
                                "-keystore",
                                store.toString(),
                                "-storepass",
                                PASSWORD));
        command.addAll(List.of(more));
        Shell.run(command);
        KeyStore keys = KeyStore.getInstance("PKCS12");
        try (InputStream in = Files.newInputStream(store)) {
            keys.load(in, password());
        }
        return keys;
    }

    /** Of stores and keys. */
    public static char[] password() {
        return PASSWORD.toCharArray();
    }
}
