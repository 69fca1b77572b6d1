package io.crema.runtime.spec;

import io.crema.conf.RuntimeHandlerConfiguration;
import io.crema.oci.runtime.RuntimeFeatures;

/** A runtime handler: how it is configured and what its binary can do. */
public record Handler(RuntimeHandlerConfiguration configuration, RuntimeFeatures features) {
    public String name() {
        return configuration.name();
    }
}
