package io.crema.image.registry;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** Self-signed certificates, made by the JDK's keytool for one test. */
record TestCertificates(KeyStore store) {
    private static final char[] PASSWORD = "password".toCharArray();

    /**
     * A certificate that is its own authority.
     *
     * @param names subject alternative names, such as ip:127.0.0.1
     * @param more further arguments of keytool
     */
    static TestCertificates make(Path directory, String algorithm, String names, String... more)
            throws IOException, InterruptedException, GeneralSecurityException {
        Path file = directory.resolve("store-" + System.nanoTime() + ".p12");
        return generate(file, "me", algorithm, names, more);
    }

    /** A certificate signed by an authority that is kept in the same store. */
    static TestCertificates signed(Path directory, String names, String... more)
            throws IOException, InterruptedException, GeneralSecurityException {
        Path file = directory.resolve("store-" + System.nanoTime() + ".p12");
        generate(file, "ca", "EC", "dns:ca", "-ext", "bc=ca:true");
        List<String> arguments = new ArrayList<>(List.of(more));
        arguments.addAll(List.of("-signer", "ca"));
        return generate(file, "me", "EC", names, arguments.toArray(String[]::new));
    }

    private static TestCertificates generate(
            Path file, String alias, String algorithm, String names, String... more)
            throws IOException, InterruptedException, GeneralSecurityException {
        List<String> command =
                new ArrayList<>(
                        List.of(
                                Path.of(System.getProperty("java.home"), "bin/keytool").toString(),
                                "-J-XX:TieredStopAtLevel=1",
                                "-J-XX:+UseSerialGC",
                                "-genkeypair",
                                "-alias",
                                alias,
                                "-keyalg",
                                algorithm,
                                "-dname",
                                "CN=crema-test-" + alias,
                                "-ext",
                                "SAN=" + names,
                                "-storetype",
                                "PKCS12",
                                "-keystore",
                                file.toString(),
                                "-storepass",
                                new String(PASSWORD)));
        command.addAll(List.of(more));
        Process keytool = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(keytool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (keytool.waitFor() != 0) {
            throw new IllegalStateException(said);
        }
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (var in = Files.newInputStream(file)) {
            store.load(in, PASSWORD);
        }
        return new TestCertificates(store);
    }

    String authorityPem() throws GeneralSecurityException {
        return pem("CERTIFICATE", store.getCertificate("ca").getEncoded());
    }

    PrivateKey key() throws GeneralSecurityException {
        return (PrivateKey) store.getKey("me", PASSWORD);
    }

    String certificatePem() throws GeneralSecurityException {
        return pem("CERTIFICATE", store.getCertificate("me").getEncoded());
    }

    String keyPem() throws GeneralSecurityException {
        return pem("PRIVATE KEY", key().getEncoded());
    }

    static String pem(String type, byte[] der) {
        return "-----BEGIN "
                + type
                + "-----\n"
                + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der)
                + "\n-----END "
                + type
                + "-----\n";
    }

    /** TLS for a server that shows this certificate and believes that of its clients. */
    SSLContext server(TestCertificates clients) throws GeneralSecurityException, IOException {
        KeyManagerFactory keys =
                KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(store, PASSWORD);
        KeyStore trusted = KeyStore.getInstance("PKCS12");
        trusted.load(null, null);
        trusted.setCertificateEntry("client", clients.store.getCertificate("me"));
        TrustManagerFactory trust =
                TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }
}
