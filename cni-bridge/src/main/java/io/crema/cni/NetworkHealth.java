package io.crema.cni;

import io.crema.base.Deadline;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Optional;

/**
 * What is known about the plugins of the default network: whether they are installed, speak its
 * version and, from CNI 1.1 on, what they answer to STATUS. Examined by one background thread, read
 * by any.
 */
final class NetworkHealth {
    /**
     * One examination.
     *
     * @param network that it is about; another one knows nothing yet
     * @param missing which plugin is not installed
     * @param versionProblem which plugin cannot speak the network's version
     * @param statusProblem what STATUS said; empty when all is well
     * @param lastGood when STATUS was good the last time
     */
    private record Examination(
            NetworkConfiguration network,
            Optional<String> missing,
            Optional<String> versionProblem,
            Optional<String> statusProblem,
            Optional<Instant> lastGood) {}

    private final PluginRunner runner;
    private final Duration limit;
    private final Duration gracePeriod;
    private final InstantSource clock;
    private volatile Optional<Examination> last = Optional.empty();

    NetworkHealth(PluginRunner runner, CniSettings settings, InstantSource clock) {
        this.runner = runner;
        this.limit = settings.timeLimits().status();
        this.gracePeriod = settings.statusGracePeriod();
        this.clock = clock;
    }

    /** Why pods cannot be attached to this network now; empty when they can. */
    Optional<String> problem(NetworkConfiguration network) {
        Optional<Examination> examination = last.filter(e -> e.network().equals(network));
        if (examination.isEmpty()) {
            // Before STATUS existed a network counted as ready once it was configured.
            return network.version().hasStatusAndGc()
                    ? Optional.of("the plugins of network " + network.name() + " are being asked")
                    : Optional.empty();
        }
        Examination found = examination.get();
        if (found.missing().isPresent()) {
            return found.missing();
        }
        if (found.versionProblem().isPresent()) {
            return found.versionProblem();
        }
        return found.statusProblem().filter(problem -> !isInGracePeriod(found));
    }

    private boolean isInGracePeriod(Examination found) {
        return found.lastGood()
                .filter(good -> clock.instant().isBefore(good.plus(gracePeriod)))
                .isPresent();
    }

    /** Looks only at files: cheap enough to be done before the first question. */
    void examineFiles(NetworkConfiguration network) {
        Optional<String> missing = new PluginChain(runner, network).missingPlugin();
        if (missing.isPresent()) {
            last =
                    Optional.of(
                            new Examination(
                                    network,
                                    missing,
                                    Optional.empty(),
                                    Optional.empty(),
                                    Optional.empty()));
        }
    }

    /** Asks the plugins; may take as long as the time limit of STATUS. */
    void examine(NetworkConfiguration network) {
        PluginChain chain = new PluginChain(runner, network);
        Optional<Examination> before = last.filter(e -> e.network().equals(network));
        Optional<String> missing = chain.missingPlugin();
        // A plugin's versions change only with its executable, so one good answer is enough.
        boolean isVersionKnown =
                before.filter(b -> b.missing().isEmpty() && b.versionProblem().isEmpty())
                        .isPresent();
        Optional<String> versionProblem =
                missing.isPresent() || isVersionKnown
                        ? Optional.empty()
                        : chain.versionProblem(Deadline.after(limit));
        Optional<String> statusProblem = Optional.empty();
        Optional<Instant> lastGood = before.flatMap(Examination::lastGood);
        if (missing.isEmpty() && versionProblem.isEmpty() && network.version().hasStatusAndGc()) {
            try {
                chain.status(Deadline.after(limit));
                lastGood = Optional.of(clock.instant());
            } catch (NetworkException e) {
                statusProblem = Optional.of(String.valueOf(e.getMessage()));
            }
        }
        last =
                Optional.of(
                        new Examination(network, missing, versionProblem, statusProblem, lastGood));
    }
}
