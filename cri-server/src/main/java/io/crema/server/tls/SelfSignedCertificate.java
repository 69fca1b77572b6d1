package io.crema.server.tls;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.crema.base.Der;
import io.crema.base.ErrorKind;
import io.crema.base.PemKey;
import io.crema.server.base.ServerException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.math.BigInteger;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.SecureRandom;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.ECGenParameterSpec;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.temporal.ChronoUnit;
import java.util.Base64;
import java.util.LinkedHashSet;
import java.util.Locale;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A certificate that signs itself (X.509 version 3, P-256), written where one is configured but not
 * there, as CRI-O does, and again before it ends. The JDK reads certificates but has no public way
 * to make one.
 */
public final class SelfSignedCertificate {
    private static final Logger LOG = LoggerFactory.getLogger(SelfSignedCertificate.class);
    private static final int VALID_DAYS = 365;
    private static final int RENEWED_DAYS_BEFORE = 60;

    /** Tells certificates made here from others, which are not ours to renew. */
    private static final String ORGANIZATION = "Crema self-signed";

    private static final Instant FOUR_DIGITS_FROM = Instant.parse("2050-01-01T00:00:00Z");

    private static final byte[] ECDSA_SHA256 =
            Der.sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2));
    private static final byte[] ORGANIZATION_NAME = oid(0x55, 4, 10);
    private static final byte[] COMMON_NAME = oid(0x55, 4, 3);
    private static final byte[] BASIC_CONSTRAINTS = oid(0x55, 0x1d, 0x13);
    private static final byte[] ALTERNATIVE_NAMES = oid(0x55, 0x1d, 0x11);

    private SelfSignedCertificate() {}

    /**
     * Writes both files when neither is there.
     *
     * @param host a name or address that it is for, beside localhost
     * @throws ServerException when only one of the files is there, or they cannot be written
     */
    public static void makeWhenMissing(Path certificate, Path key, String host) {
        boolean hasCertificate = Files.exists(certificate);
        if (hasCertificate && Files.exists(key)) {
            return;
        }
        if (hasCertificate || Files.exists(key)) {
            throw new ServerException(
                    ErrorKind.INVALID_ARGUMENT,
                    "of "
                            + certificate
                            + " and "
                            + key
                            + " one is missing; give both, or none to have them made");
        }
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            KeyPair pair = generator.generateKeyPair();
            byte[] made = certificate(pair, names(host), Instant.now());
            write(key, "PRIVATE KEY", pair.getPrivate().getEncoded(), "rw-------");
            try {
                write(certificate, "CERTIFICATE", made, "rw-r--r--");
            } catch (IOException e) {
                // A key alone would be refused at the next start.
                Files.deleteIfExists(key);
                throw e;
            }
            LOG.info("made the self-signed certificate {}, valid for a year", certificate);
        } catch (GeneralSecurityException | IOException e) {
            throw new ServerException(
                    ErrorKind.INTERNAL, "cannot make the certificate " + certificate + ": " + e, e);
        }
    }

    /**
     * Writes the certificate anew when it was made here and will end before long; of the same key,
     * so that who was given the old one to trust knows the new one, too, and both files belong
     * together at every moment.
     *
     * @param now by which it is judged
     * @return whether it was
     * @throws ServerException when it should be and cannot
     */
    @CanIgnoreReturnValue
    static boolean renewWhenDue(Path certificate, Path key, String host, Instant now) {
        try {
            X509Certificate old;
            try (InputStream in = Files.newInputStream(certificate)) {
                old =
                        (X509Certificate)
                                CertificateFactory.getInstance("X.509").generateCertificate(in);
            }
            Instant due = old.getNotAfter().toInstant().minus(RENEWED_DAYS_BEFORE, ChronoUnit.DAYS);
            if (!isOurs(old) || now.isBefore(due)) {
                return false;
            }
            KeyPair pair = new KeyPair(old.getPublicKey(), PemKey.read(key));
            write(certificate, "CERTIFICATE", certificate(pair, names(host), now), "rw-r--r--");
            LOG.info(
                    "renewed the self-signed certificate {}, which would have ended at {}, for a"
                            + " year",
                    certificate,
                    old.getNotAfter().toInstant());
            return true;
        } catch (GeneralSecurityException | IOException e) {
            throw new ServerException(
                    ErrorKind.INTERNAL,
                    "cannot renew the self-signed certificate "
                            + certificate
                            + ": "
                            + e
                            + "; delete it and "
                            + key
                            + " to have them made anew",
                    e);
        }
    }

    private static boolean isOurs(X509Certificate certificate) {
        return certificate.getSubjectX500Principal().equals(certificate.getIssuerX500Principal())
                && certificate.getSubjectX500Principal().getName().endsWith("O=" + ORGANIZATION);
    }

    private static Set<String> names(String host) {
        Set<String> names = new LinkedHashSet<>();
        names.add("localhost");
        names.add("127.0.0.1");
        if (!host.equals("0.0.0.0") && !host.equals("::")) {
            names.add(host);
        }
        return names;
    }

    private static void write(Path file, String label, byte[] content, String mode)
            throws IOException {
        Path directory = file.getParent();
        if (directory != null) {
            Files.createDirectories(directory);
        }
        String text =
                "-----BEGIN "
                        + label
                        + "-----\n"
                        + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(content)
                        + "\n-----END "
                        + label
                        + "-----\n";
        Path temporary = file.resolveSibling("." + file.getFileName() + ".tmp");
        Files.deleteIfExists(temporary);
        try {
            Files.createFile(
                    temporary,
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(mode)));
            try (FileChannel out = FileChannel.open(temporary, StandardOpenOption.WRITE)) {
                ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
                while (bytes.hasRemaining()) {
                    out.write(bytes);
                }
                out.force(true);
            }
            Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(temporary);
        }
    }

    /** RFC 5280, section 4.1. */
    static byte[] certificate(KeyPair pair, Set<String> names, Instant now)
            throws GeneralSecurityException {
        byte[] name =
                Der.sequence(
                        Der.element(0x31, Der.sequence(ORGANIZATION_NAME, text(ORGANIZATION))),
                        Der.element(
                                0x31, Der.sequence(COMMON_NAME, text(names.iterator().next()))));
        byte[] serial = new BigInteger(120, new SecureRandom()).setBit(119).toByteArray();
        byte[] toSign =
                Der.sequence(
                        Der.element(0xa0, Der.element(2, new byte[] {2})),
                        Der.element(2, serial),
                        ECDSA_SHA256,
                        name,
                        Der.sequence(
                                time(now.minus(1, ChronoUnit.HOURS)),
                                time(now.plus(VALID_DAYS, ChronoUnit.DAYS))),
                        name,
                        pair.getPublic().getEncoded(),
                        Der.element(0xa3, Der.sequence(authority(), alternatives(names))));
        Signature signer = Signature.getInstance("SHA256withECDSA");
        signer.initSign(pair.getPrivate());
        signer.update(toSign);
        byte[] signature = signer.sign();
        byte[] bits = new byte[signature.length + 1];
        System.arraycopy(signature, 0, bits, 1, signature.length);
        return Der.sequence(toSign, ECDSA_SHA256, Der.element(3, bits));
    }

    /** So that clients can be given the certificate itself as the authority to trust. */
    private static byte[] authority() {
        byte[] isAuthority = Der.sequence(Der.element(1, new byte[] {(byte) 0xff}));
        return Der.sequence(
                BASIC_CONSTRAINTS,
                Der.element(1, new byte[] {(byte) 0xff}),
                Der.element(4, isAuthority));
    }

    private static byte[] alternatives(Set<String> names) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (String name : names) {
            all.writeBytes(alternative(name));
        }
        return Der.sequence(ALTERNATIVE_NAMES, Der.element(4, Der.sequence(all.toByteArray())));
    }

    private static byte[] alternative(String name) {
        try {
            return Der.element(0x87, InetAddress.ofLiteral(name).getAddress());
        } catch (IllegalArgumentException e) {
            return Der.element(0x82, name.getBytes(StandardCharsets.US_ASCII));
        }
    }

    /** With two digits of the year before 2050 and with four from then on. */
    private static byte[] time(Instant instant) {
        boolean isShort = instant.isBefore(FOUR_DIGITS_FROM);
        String words =
                DateTimeFormatter.ofPattern(
                                isShort ? "yyMMddHHmmss'Z'" : "yyyyMMddHHmmss'Z'", Locale.ROOT)
                        .withZone(ZoneOffset.UTC)
                        .format(instant);
        return Der.element(isShort ? 0x17 : 0x18, words.getBytes(StandardCharsets.US_ASCII));
    }

    private static byte[] text(String words) {
        return Der.element(0x0c, words.getBytes(StandardCharsets.UTF_8));
    }

    private static byte[] oid(int... parts) {
        byte[] bytes = new byte[parts.length];
        for (int i = 0; i < parts.length; i++) {
            bytes[i] = (byte) parts[i];
        }
        return Der.element(6, bytes);
    }
}
