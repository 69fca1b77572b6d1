package io.crema.runtime.nri;

import io.crema.conf.NriConfiguration;
import io.crema.oci.linux.Linux;
import io.crema.oci.process.PollLoop;
import io.crema.runtime.spec.NodeFacts;
import java.nio.file.Path;
import java.time.Duration;

/**
 * What all plugins are served with.
 *
 * @param runDirectory where sockets are made for those that we start
 * @param runtimeName what they are told that they talk to
 */
public record PluginSettings(
        Linux linux,
        PollLoop loop,
        NodeFacts facts,
        NriConfiguration configuration,
        Path runDirectory,
        String runtimeName,
        String runtimeVersion) {
    /** The version of the protocol that {@code nri.proto} is. */
    static final String NRI_VERSION = "v0.12.1";

    Duration registrationTime() {
        return configuration.pluginRegistrationTimeout();
    }

    Duration requestTime() {
        return configuration.pluginRequestTimeout();
    }

    /**
     * A plugin that learns of hundreds of containers does at its start what it does for one of them
     * later; it is given what starting may take.
     */
    Duration synchronizationTime() {
        return requestTime().compareTo(registrationTime()) > 0 ? requestTime() : registrationTime();
    }
}
