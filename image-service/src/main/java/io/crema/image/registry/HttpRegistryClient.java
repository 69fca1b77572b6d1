package io.crema.image.registry;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.Digest;
import io.crema.base.ErrorKind;
import io.crema.conf.ImageSettings;
import io.crema.image.ImageException;
import io.crema.image.Images.Credentials;
import io.crema.image.reference.ImageName;
import io.crema.image.reference.ImageReference;
import io.crema.image.registry.RegistriesConfiguration.PullSource;
import io.crema.image.registry.RegistriesConfiguration.ShortNameMode;
import io.crema.oci.process.Commands;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The registry client over HTTP and the containers-* family of files. */
public final class HttpRegistryClient implements RegistryClient {
    /** Manifests that need not be fetched again because somebody holds them. */
    @FunctionalInterface
    public interface KnownManifests {
        /** The bytes of that digest; they are verified again. */
        Optional<byte[]> find(Digest digest);

        static KnownManifests none() {
            return digest -> Optional.empty();
        }
    }

    private static final Logger LOG = LoggerFactory.getLogger(HttpRegistryClient.class);

    /** Indexes within indexes; more than this is nobody's image. */
    private static final int MAX_INDEX_DEPTH = 3;

    /** While there is another place to ask, one is not asked for long. */
    private static final int IMPATIENT_ATTEMPTS = 2;

    private static final int BUFFER_BYTES = 16 << 10;

    private static final Path SIGNATURE_LOCATIONS = Path.of("/etc/containers/registries.d");

    private final TransferPolicy policy;
    private final Platform platform;
    private final Logins logins;
    private final KnownManifests knownManifests;
    private final HttpConnections connections;
    private final RegistryHttp http;
    private final SignatureSearch signatures;
    private volatile RegistriesConfiguration registries;

    /**
     * Opens nothing yet: connections are made at first use.
     *
     * @param globalAuthFile credentials to look in before the user's files
     * @param certificateDirectories such as /etc/containers/certs.d
     * @param environment of the daemon, for proxies, HOME and the like
     * @param commands runs credential helpers; empty for none
     */
    public HttpRegistryClient(
            RegistriesConfiguration registries,
            Optional<Path> globalAuthFile,
            List<Path> certificateDirectories,
            Map<String, String> environment,
            Optional<Commands> commands,
            KnownManifests knownManifests,
            Platform platform,
            TransferPolicy policy) {
        this(
                registries,
                globalAuthFile,
                certificateDirectories,
                SIGNATURE_LOCATIONS,
                environment,
                commands,
                knownManifests,
                platform,
                policy);
    }

    private HttpRegistryClient(
            RegistriesConfiguration registries,
            Optional<Path> globalAuthFile,
            List<Path> certificateDirectories,
            Path signatureLocations,
            Map<String, String> environment,
            Optional<Commands> commands,
            KnownManifests knownManifests,
            Platform platform,
            TransferPolicy policy) {
        this.registries = registries;
        this.policy = policy;
        this.platform = platform;
        this.knownManifests = knownManifests;
        this.logins = new Logins(globalAuthFile, environment, commands);
        this.connections =
                new HttpConnections(
                        policy,
                        new TrustedCertificates(certificateDirectories, environment),
                        environment);
        this.http = new RegistryHttp(connections, new Authorizations(connections, policy));
        this.signatures = new SignatureSearch(this, connections, signatureLocations);
    }

    /**
     * The client that the daemon's configuration describes, for this machine.
     *
     * @throws ImageException INVALID_ARGUMENT for broken files
     */
    public static HttpRegistryClient create(
            ImageSettings settings,
            Map<String, String> environment,
            Optional<Commands> commands,
            KnownManifests knownManifests) {
        return new HttpRegistryClient(
                registries(settings),
                settings.globalAuthFile(),
                settings.certificateDirectories(),
                settings.signatureLocationsDirectory(),
                environment,
                commands,
                knownManifests,
                Platform.host(),
                TransferPolicy.within(settings.pullProgressTimeout()));
    }

    /** Reads registries.conf as the daemon's configuration says. */
    public static RegistriesConfiguration registries(ImageSettings settings) {
        RegistriesConfiguration read =
                RegistriesReader.read(settings.registriesFile(), settings.registriesDirectory());
        return switch (settings.shortNameMode()) {
            case DISABLED -> read.withShortNameMode(ShortNameMode.DISABLED);
            case ENFORCING -> read;
        };
    }

    /** Takes a changed registries.conf; pulls in progress keep the old one. */
    public void reconfigure(RegistriesConfiguration changed) {
        registries = changed;
    }

    @Override
    public List<ImageReference> candidates(ImageName name) {
        return registries.candidates(name);
    }

    @Override
    public ResolvedImage resolve(
            ImageReference reference, Credentials credentials, Deadline deadline) {
        RegistriesConfiguration configuration = registries;
        List<PullSource> places = configuration.sources(reference);
        List<ImageException> failures = new ArrayList<>();
        for (PullSource place : places) {
            boolean isLast = failures.size() == places.size() - 1;
            try {
                Source source = source(reference, place, credentials, configuration, deadline);
                ResolvedImage found = resolveAt(source, place.reference(), !isLast, deadline);
                return isLast
                        ? found
                        : found.withOthers(
                                others(
                                        reference,
                                        places.subList(failures.size() + 1, places.size()),
                                        credentials,
                                        configuration,
                                        deadline));
            } catch (ImageException e) {
                if (e.kind() == ErrorKind.CANCELLED) {
                    throw e;
                }
                failures.add(e);
            }
        }
        throw Failures.all(failures);
    }

    private Source source(
            ImageReference reference,
            PullSource place,
            Credentials credentials,
            RegistriesConfiguration configuration,
            Deadline deadline) {
        return new Source(
                reference,
                place.reference().registry(),
                place.reference().path(),
                place.insecure(),
                place.mirror(),
                logins.find(reference, place.reference(), credentials, configuration, deadline));
    }

    private List<Source> others(
            ImageReference reference,
            List<PullSource> places,
            Credentials credentials,
            RegistriesConfiguration configuration,
            Deadline deadline) {
        List<Source> others = new ArrayList<>();
        for (PullSource place : places) {
            try {
                others.add(source(reference, place, credentials, configuration, deadline));
            } catch (ImageException e) {
                if (e.kind() == ErrorKind.CANCELLED) {
                    throw e;
                }
                LOG.warn("{} is not asked for blobs: {}", place.reference(), e.getMessage());
            }
        }
        return others;
    }

    private ResolvedImage resolveAt(
            Source source, ImageReference physical, boolean impatient, Deadline deadline) {
        // While there is another place to ask, this one is not asked for long.
        TransferPolicy patience = impatient ? policy.withAttempts(IMPATIENT_ATTEMPTS) : policy;
        String what = source.reference() + " at " + source;
        List<ResolvedManifest> indexes = new ArrayList<>();
        Set<Digest> seen = new HashSet<>();
        ResolvedManifest served =
                fetchManifest(
                        source, physical.manifestName(), physical.digest(), patience, deadline);
        while (served.isIndex()) {
            if (!seen.add(served.digest())) {
                throw refused(what, "is an index that contains itself");
            }
            if (indexes.size() == MAX_INDEX_DEPTH) {
                throw refused(what, "has indexes within indexes, more than " + MAX_INDEX_DEPTH);
            }
            indexes.add(served);
            ContentDescriptor chosen =
                    ManifestReader.choose(ManifestReader.index(served, what), platform, what);
            served =
                    fetchManifest(
                            source,
                            chosen.digest().toString(),
                            Optional.of(chosen.digest()),
                            patience,
                            deadline);
            if (served.content().length != chosen.sizeBytes()) {
                throw refused(
                        what,
                        "has a manifest of "
                                + served.content().length
                                + " bytes where its index says "
                                + chosen.sizeBytes());
            }
        }
        return new ResolvedImage(
                source.reference(), indexes, served, ManifestReader.manifest(served, what), source);
    }

    private static ImageException refused(String what, String problem) {
        return new ImageException(ErrorKind.INVALID_ARGUMENT, what + " " + problem);
    }

    @Override
    public FoundSignatures signatures(Source source, List<Digest> digests, Deadline deadline) {
        return signatures.find(source, digests, deadline);
    }

    /** A manifest by tag or digest, not asked for by a user. */
    ResolvedManifest fetchManifest(
            Source source, String name, Optional<Digest> expected, Deadline deadline) {
        return fetchManifest(source, name, expected, policy, deadline);
    }

    private ResolvedManifest fetchManifest(
            Source source,
            String name,
            Optional<Digest> expected,
            TransferPolicy patience,
            Deadline deadline) {
        String what = source.reference() + " at " + source;
        if (expected.isPresent()) {
            Optional<byte[]> known = knownManifests.find(expected.get());
            if (known.isPresent()) {
                return ManifestReader.accept(known.get(), "", expected, what);
            }
        }
        Exchange exchange = Exchange.manifest(source, name);
        try {
            return fetch(
                    exchange, expected, what, patience, deadline.atMost(policy.smallTimeout()));
        } catch (DeadlineExceededException e) {
            deadline.check(Failures.step(source, exchange.what()));
            throw Failures.transfer(
                    source,
                    exchange.what(),
                    "it was not there after " + policy.smallTimeout().toSeconds() + " s",
                    e);
        }
    }

    private ResolvedManifest fetch(
            Exchange exchange,
            Optional<Digest> expected,
            String what,
            TransferPolicy patience,
            Deadline deadline) {
        Retries retries = new Retries(patience, deadline);
        while (true) {
            Answer response = http.open(exchange, retries, deadline);
            byte[] content;
            try (ResponseBody body = response.body()) {
                content = readAll(body, ManifestReader.MAX_BYTES, deadline, exchange.what());
            } catch (InterruptedIOException e) {
                throw Retries.cancelled(e);
            } catch (IOException e) {
                deadline.check(exchange.what());
                retries.pause(
                        Failures.transfer(
                                exchange.source(),
                                exchange.what(),
                                String.valueOf(e.getMessage()),
                                e),
                        Duration.ZERO);
                continue;
            }
            if (content.length > ManifestReader.MAX_BYTES) {
                throw refused(
                        what, "has a manifest larger than " + ManifestReader.MAX_BYTES + " bytes");
            }
            String type = response.header("Content-Type");
            ResolvedManifest served = ManifestReader.accept(content, type, expected, what);
            checkSaidDigest(response, served, what);
            return served;
        }
    }

    /**
     * What the registry says the digest is, when it says so, must be the digest of what it sent.
     */
    private static void checkSaidDigest(Answer response, ResolvedManifest served, String what) {
        String said = response.header("Docker-Content-Digest");
        if (said.startsWith(served.digest().algorithm() + ":")
                && !said.equals(served.digest().toString())) {
            throw new ImageException(
                    ErrorKind.UNAVAILABLE,
                    "the manifest of "
                            + what
                            + " has digest "
                            + served.digest()
                            + " where the registry says "
                            + ManifestReader.printable(said)
                            + ": something on the way changed it; nothing was kept");
        }
    }

    /** At most one byte more than the bound, so that the caller can tell. */
    private static byte[] readAll(ResponseBody body, int maxBytes, Deadline deadline, String what)
            throws IOException {
        ByteArrayOutputStream content = new ByteArrayOutputStream(BUFFER_BYTES);
        byte[] buffer = new byte[BUFFER_BYTES];
        while (content.size() <= maxBytes) {
            deadline.check(what);
            int count =
                    body.read(buffer, 0, Math.min(buffer.length, maxBytes + 1 - content.size()));
            if (count < 0) {
                break;
            }
            content.write(buffer, 0, count);
        }
        return content.toByteArray();
    }

    @Override
    public byte[] fetchBlob(
            Source source, ContentDescriptor descriptor, int maxBytes, Deadline deadline) {
        return fetchBlob(List.of(source), descriptor, maxBytes, deadline);
    }

    @Override
    public byte[] fetchBlob(
            ResolvedImage image, ContentDescriptor descriptor, int maxBytes, Deadline deadline) {
        return fetchBlob(places(image), descriptor, maxBytes, deadline);
    }

    private byte[] fetchBlob(
            List<Source> places, ContentDescriptor descriptor, int maxBytes, Deadline deadline) {
        List<Source> left = places;
        while (true) {
            if (descriptor.sizeBytes() > maxBytes) {
                throw refused(
                        blobAt(descriptor, left.getFirst()),
                        "has " + descriptor.sizeBytes() + " bytes; " + maxBytes + " are allowed");
            }
            byte[] content = new byte[Math.toIntExact(descriptor.sizeBytes())];
            int done = read(left, descriptor, content, deadline);
            Digest digest = ManifestReader.digest(content, descriptor.digest().algorithm());
            if (digest.equals(descriptor.digest())) {
                return content;
            }
            ImageException wrong =
                    new ImageException(
                            ErrorKind.UNAVAILABLE,
                            blobAt(descriptor, left.get(done - 1))
                                    + " has digest "
                                    + digest
                                    + ": the registry or something on the way changed it; nothing"
                                    + " was kept");
            if (done == left.size()) {
                throw wrong;
            }
            LOG.warn("{}; asking the next place", wrong.getMessage());
            left = left.subList(done, left.size());
        }
    }

    private static String blobAt(ContentDescriptor descriptor, Source source) {
        return "blob " + descriptor.digest() + " of " + source.reference() + " at " + source;
    }

    /** Returns how many of the places need not be asked again if this is wrong. */
    private int read(
            List<Source> places, ContentDescriptor descriptor, byte[] content, Deadline deadline) {
        try (BlobStream stream =
                open(places, descriptor, 0, descriptor.sizeBytes(), false, deadline)) {
            int position = 0;
            while (position < content.length) {
                position += stream.read(content, position, content.length - position);
            }
            return stream.placesDone();
        }
    }

    @Override
    public BlobStream openBlob(
            Source source, ContentDescriptor descriptor, long offset, long end, Deadline deadline) {
        return open(List.of(source), descriptor, offset, end, false, deadline);
    }

    @Override
    public BlobStream openBlob(
            ResolvedImage image,
            ContentDescriptor descriptor,
            long offset,
            long end,
            Deadline deadline) {
        return open(places(image), descriptor, offset, end, false, deadline);
    }

    @Override
    public BlobStream openExactly(
            ResolvedImage image,
            ContentDescriptor descriptor,
            long offset,
            long end,
            Deadline deadline) {
        return open(places(image), descriptor, offset, end, true, deadline);
    }

    private static List<Source> places(ResolvedImage image) {
        List<Source> places = new ArrayList<>();
        places.add(image.source());
        places.addAll(image.others());
        return places;
    }

    private BlobStream open(
            List<Source> places,
            ContentDescriptor descriptor,
            long offset,
            long end,
            boolean exactly,
            Deadline deadline) {
        if (places.size() == 1) {
            return new ResumingBlobStream(
                    http, policy, places.getFirst(), descriptor, offset, end, exactly, deadline);
        }
        return new FallbackBlobStream(
                places.size(),
                offset,
                end,
                (place, position) ->
                        new ResumingBlobStream(
                                http,
                                place == places.size() - 1
                                        ? policy
                                        : policy.withAttempts(IMPATIENT_ATTEMPTS),
                                places.get(place),
                                descriptor,
                                position,
                                end,
                                exactly,
                                deadline));
    }

    @Override
    public void close() {
        connections.close();
    }
}
