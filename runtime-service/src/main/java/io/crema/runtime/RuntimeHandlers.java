package io.crema.runtime;

import io.crema.base.ErrorKind;
import io.crema.oci.runtime.OciRuntime;
import io.crema.runtime.state.PodException;
import java.util.Map;
import java.util.TreeMap;

/** The configured OCI runtimes by handler name; the empty name is the default one. */
public final class RuntimeHandlers {
    private final Map<String, OciRuntime> runtimes;
    private final OciRuntime defaultRuntime;

    /**
     * @throws IllegalArgumentException when the default is not among the runtimes
     */
    public RuntimeHandlers(Map<String, OciRuntime> runtimes, String defaultName) {
        this.runtimes = new TreeMap<>(runtimes);
        OciRuntime found = runtimes.get(defaultName);
        if (found == null) {
            throw new IllegalArgumentException(
                    "default_runtime '"
                            + defaultName
                            + "' is not a configured runtime: "
                            + names());
        }
        this.defaultRuntime = found;
    }

    public OciRuntime defaultRuntime() {
        return defaultRuntime;
    }

    /** All of them in the order of their names. */
    public Map<String, OciRuntime> all() {
        return runtimes;
    }

    /**
     * @throws PodException INVALID_ARGUMENT when there is no such handler
     */
    public OciRuntime named(String handler) {
        if (handler.isEmpty()) {
            return defaultRuntime;
        }
        OciRuntime runtime = runtimes.get(handler);
        if (runtime == null) {
            throw new PodException(
                    ErrorKind.INVALID_ARGUMENT,
                    "no runtime handler '"
                            + handler
                            + "' is configured; known ones are "
                            + names()
                            + ". Add [crio.runtime.runtimes."
                            + handler
                            + "] or correct the RuntimeClass");
        }
        return runtime;
    }

    private String names() {
        return String.join(", ", runtimes.keySet());
    }
}
