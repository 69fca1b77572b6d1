package io.crema.runtime.spec;

import io.crema.cri.v1.KeyValue;
import io.crema.runtime.state.PodException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The environment of a container's first process. Later settings of a variable win; it keeps the
 * place of its first.
 */
final class Environment {
    private static final String DEFAULT_PATH =
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private final Map<String, String> variables = new LinkedHashMap<>();

    /**
     * @param hostname of the pod; an image that has kept the name of the machine it was made on
     *     does not override it, a request does
     */
    static Environment of(
            List<String> defaults,
            List<String> ofImage,
            List<KeyValue> requested,
            String hostname) {
        Environment environment = new Environment();
        environment.variables.put("PATH", DEFAULT_PATH);
        defaults.forEach(environment::put);
        ofImage.forEach(environment::put);
        environment.variables.put("HOSTNAME", hostname);
        for (KeyValue entry : requested) {
            environment.put(entry);
        }
        return environment;
    }

    private void put(String entry) {
        int equals = entry.indexOf('=');
        String name = equals < 0 ? entry : entry.substring(0, equals);
        if (!name.isEmpty() && entry.indexOf('\0') < 0) {
            variables.put(name, equals < 0 ? "" : entry.substring(equals + 1));
        }
    }

    private void put(KeyValue entry) {
        String name = entry.getKey();
        if (name.isEmpty() || name.indexOf('=') >= 0 || name.indexOf('\0') >= 0) {
            throw PodException.invalid(
                    "envs: '"
                            + name.replace('\0', '?')
                            + "' cannot be the name of an environment variable");
        }
        // Linux would take any bytes, but the OCI specification is JSON, which is text.
        if (!entry.getValue().isValidUtf8()) {
            throw PodException.invalid(
                    "envs: the value of "
                            + name
                            + " is not UTF-8, which the OCI runtime specification cannot carry;"
                            + " encode it (base64) or mount it as a file");
        }
        String value = entry.getValue().toStringUtf8();
        if (value.indexOf('\0') >= 0) {
            throw PodException.invalid("envs: the value of " + name + " holds a NUL");
        }
        variables.put(name, value);
    }

    void putIfAbsent(String name, String value) {
        variables.putIfAbsent(name, value);
    }

    /**
     * Sets HOME unless it is set.
     *
     * @param home from the image's passwd file, which is hostile: one with a line break could
     *     smuggle lines into files that programs make of their environment
     */
    void home(String home, String imageName) {
        if (variables.containsKey("HOME")) {
            return;
        }
        for (int i = 0; i < home.length(); i++) {
            if (Character.isISOControl(home.charAt(i))) {
                throw PodException.invalid(
                        "the home directory of the user in /etc/passwd of the image "
                                + imageName
                                + " holds a control character");
            }
        }
        variables.put("HOME", home);
    }

    List<String> entries() {
        List<String> entries = new ArrayList<>(variables.size());
        variables.forEach((name, value) -> entries.add(name + "=" + value));
        return entries;
    }
}
