package io.crema.image.registry;

import io.crema.base.Deadline;
import io.crema.image.Images.Credentials;
import io.crema.image.reference.ImageReference;
import io.crema.image.registry.HttpRegistryClient.KnownManifests;
import io.crema.image.registry.RegistriesConfiguration.Mirror;
import io.crema.image.registry.RegistriesConfiguration.PullFromMirror;
import io.crema.image.registry.RegistriesConfiguration.Registry;
import io.crema.image.registry.RegistriesConfiguration.ShortNameMode;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Clients for tests, which believe no file of the machine they run on. */
final class Clients {
    /** Pauses shortly between attempts, but waits long enough for a busy machine. */
    static final TransferPolicy PATIENT = policy(Duration.ofSeconds(15), Duration.ofSeconds(15));

    private static final TransferPolicy IMPATIENT =
            policy(Duration.ofMillis(400), Duration.ofSeconds(2));

    private static final TransferPolicy HASTY =
            new TransferPolicy(
                    Duration.ofSeconds(1),
                    Duration.ofSeconds(1),
                    Duration.ofSeconds(1),
                    64,
                    Duration.ofSeconds(15),
                    2,
                    Duration.ofMillis(2),
                    Duration.ofMillis(50));

    private static final Map<String, String> NOBODY =
            Map.of("HOME", "/nonexistent", "XDG_RUNTIME_DIR", "/nonexistent");

    private Clients() {}

    private static TransferPolicy policy(Duration stallTimeout, Duration smallTimeout) {
        return new TransferPolicy(
                Duration.ofSeconds(15),
                Duration.ofSeconds(15),
                stallTimeout,
                64,
                smallTimeout,
                4,
                Duration.ofMillis(2),
                Duration.ofMillis(50));
    }

    static Registry insecure(String host) {
        return new Registry(host, host, true, false, false, List.of());
    }

    static Registry mirrored(String prefix, String location, String... mirrors) {
        List<Mirror> all = new ArrayList<>();
        for (String mirror : mirrors) {
            all.add(new Mirror(mirror, true, PullFromMirror.ALL));
        }
        return new Registry(prefix, location, true, false, false, all);
    }

    static RegistriesConfiguration configuration(Registry... registries) {
        return new RegistriesConfiguration(
                List.of(), List.of(registries), Map.of(), ShortNameMode.ENFORCING, List.of());
    }

    static HttpRegistryClient of(Registry... registries) {
        return of(configuration(registries), List.of(), KnownManifests.none());
    }

    static HttpRegistryClient of(
            RegistriesConfiguration configuration,
            List<Path> certificateDirectories,
            KnownManifests known) {
        return of(configuration, certificateDirectories, known, PATIENT);
    }

    /** For tests that wait until the client loses its patience. */
    static HttpRegistryClient impatient(Registry... registries) {
        return of(configuration(registries), List.of(), KnownManifests.none(), IMPATIENT);
    }

    /** For tests of connections and answers that do not come. */
    static HttpRegistryClient hasty(Registry... registries) {
        return of(configuration(registries), List.of(), KnownManifests.none(), HASTY);
    }

    private static HttpRegistryClient of(
            RegistriesConfiguration configuration,
            List<Path> certificateDirectories,
            KnownManifests known,
            TransferPolicy policy) {
        return new HttpRegistryClient(
                configuration,
                Optional.empty(),
                certificateDirectories,
                NOBODY,
                Optional.empty(),
                known,
                new Platform("linux", "amd64", ""),
                policy);
    }

    static Source source(String host, String repository) {
        return new Source(
                ImageReference.parse(host + "/" + repository + ":1"),
                host,
                repository,
                true,
                false,
                Login.anonymous());
    }

    static ResolvedImage resolve(RegistryClient client, String reference) {
        return client.resolve(ImageReference.parse(reference), Credentials.none(), soon());
    }

    static Deadline soon() {
        return Deadline.after(Duration.ofSeconds(20));
    }
}
