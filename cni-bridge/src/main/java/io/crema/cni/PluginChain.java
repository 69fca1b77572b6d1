package io.crema.cni;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.Deadline;
import io.crema.base.ErrorKind;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** A network's plugins in order, as the CNI specification 1.1, section 3, runs them. */
final class PluginChain {
    private final PluginRunner runner;
    private final NetworkConfiguration network;

    PluginChain(PluginRunner runner, NetworkConfiguration network) {
        this.runner = runner;
        this.network = network;
    }

    /** One ADD of one attachment: knows how far it came, so that it can be taken back. */
    final class Addition {
        private final RuntimeArguments args;
        private int reached = -1;
        private Optional<ObjectNode> result = Optional.empty();

        private Addition(RuntimeArguments args) {
            this.args = args;
        }

        /** Runs all plugins in order, each with the result of the one before it. */
        CniResult run(Deadline deadline) {
            for (PluginConfiguration plugin : network.plugins()) {
                reached++;
                PluginRunner.Call call = call(CniCommand.ADD, plugin, args, result);
                byte[] stdout = runner.run(call, deadline);
                try {
                    result = Optional.of(CniResult.read(stdout).inVersion(network.version()));
                } catch (IOException e) {
                    throw new NetworkException(
                            ErrorKind.INTERNAL,
                            call.description()
                                    + " succeeded but its result cannot be read: "
                                    + e.getMessage(),
                            e);
                }
            }
            return new CniResult(result.orElseThrow());
        }

        /**
         * DEL in reverse from the plugin that failed, which may have done half of its work. All of
         * them run even if one fails: the one that failed ADD is likely to fail DEL as well, and
         * what lies below it, an address above all, must not leak for that.
         *
         * <p>Each gets the last good result as prevResult. There is no final one to give, and
         * plugins that look for the pod's addresses there find what to take back.
         *
         * @return whether all succeeded; failures are suppressed into the cause
         */
        boolean undo(Duration limit, Throwable cause) {
            // An interrupt that ended ADD must not end this too.
            boolean wasInterrupted = Thread.interrupted();
            try {
                return deleteReached(Deadline.after(limit), cause);
            } finally {
                if (wasInterrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }

        private boolean deleteReached(Deadline deadline, Throwable cause) {
            boolean isUndone = true;
            for (int i = reached; i >= 0; i--) {
                try {
                    runner.run(
                            call(
                                    CniCommand.DEL,
                                    network.plugins().get(i),
                                    args,
                                    network.version().hasCheck() ? result : Optional.empty()),
                            deadline);
                } catch (RuntimeException e) {
                    isUndone = false;
                    cause.addSuppressed(e);
                }
            }
            return isUndone;
        }
    }

    Addition addition(RuntimeArguments args) {
        return new Addition(args);
    }

    /** DEL in reverse; halts at the first failure, so that a retry finds the rest in place. */
    void delete(RuntimeArguments args, Optional<ObjectNode> result, Deadline deadline) {
        Optional<ObjectNode> previous = network.version().hasCheck() ? result : Optional.empty();
        for (int i = network.plugins().size() - 1; i >= 0; i--) {
            runner.run(call(CniCommand.DEL, network.plugins().get(i), args, previous), deadline);
        }
    }

    /** CHECK in order, each with the final result of ADD. */
    void check(RuntimeArguments args, ObjectNode result, Deadline deadline) {
        for (PluginConfiguration plugin : network.plugins()) {
            runner.run(call(CniCommand.CHECK, plugin, args, Optional.of(result)), deadline);
        }
    }

    /** STATUS of all plugins in order; the first that is not ready throws. */
    void status(Deadline deadline) {
        for (PluginConfiguration plugin : network.plugins()) {
            runner.run(call(CniCommand.STATUS, plugin, Json.object()), deadline);
        }
    }

    /**
     * GC of all plugins: they give back what belongs to no valid attachment.
     *
     * @return the failures; one plugin's does not keep the others from it
     */
    List<NetworkException> collectGarbage(Set<String> validContainerIds, Deadline deadline) {
        ArrayNode attachments = Json.array();
        for (String containerId : validContainerIds) {
            attachments
                    .addObject()
                    .put("containerID", containerId)
                    .put("ifname", RuntimeArguments.IF_NAME);
        }
        ObjectNode input = Json.object();
        input.set("cni.dev/valid-attachments", attachments);
        // The specification once had this name; plugins that read it would else collect everything.
        input.set("cni.dev/attachments", attachments);
        List<NetworkException> failures = new ArrayList<>();
        for (PluginConfiguration plugin : network.plugins()) {
            try {
                runner.run(call(CniCommand.GC, plugin, input), deadline);
            } catch (NetworkException e) {
                failures.add(e);
            }
        }
        return failures;
    }

    /** Asks each plugin for its versions; a text says which one cannot serve this network. */
    Optional<String> versionProblem(Deadline deadline) {
        for (PluginConfiguration plugin : network.plugins()) {
            PluginRunner.Call call = call(CniCommand.VERSION, plugin, Json.object());
            List<String> supported = new ArrayList<>();
            try {
                byte[] stdout = runner.run(call, deadline);
                for (JsonNode version : Json.readObject(stdout).path("supportedVersions")) {
                    supported.add(version.asText());
                }
            } catch (NetworkException | IOException e) {
                return Optional.of(call.description() + ": " + e.getMessage());
            }
            if (!supported.contains(network.version().toString())) {
                return Optional.of(
                        "plugin "
                                + plugin.type()
                                + " speaks CNI "
                                + String.join(", ", supported)
                                + " but "
                                + network.source()
                                + " asks for "
                                + network.version());
            }
        }
        return Optional.empty();
    }

    /** Names the first plugin that is not installed. */
    Optional<String> missingPlugin() {
        for (PluginConfiguration plugin : network.plugins()) {
            if (runner.find(plugin.type()).isEmpty()) {
                return Optional.of(
                        "plugin "
                                + plugin.type()
                                + " of network "
                                + network.name()
                                + " ("
                                + network.source()
                                + ") is not installed in "
                                + runner.searchPath()
                                + " (plugin_dirs)");
            }
        }
        return Optional.empty();
    }

    private PluginRunner.Call call(
            CniCommand command,
            PluginConfiguration plugin,
            RuntimeArguments args,
            Optional<ObjectNode> previousResult) {
        ObjectNode input = Json.object();
        previousResult.ifPresent(result -> input.set("prevResult", result));
        return new PluginRunner.Call(command, network, plugin, Optional.of(args), input);
    }

    private PluginRunner.Call call(
            CniCommand command, PluginConfiguration plugin, ObjectNode input) {
        return new PluginRunner.Call(command, network, plugin, Optional.empty(), input);
    }
}
