package io.crema.server.check;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.zip.GZIPInputStream;

/**
 * What the running kernel was built with, from its own configuration where it shows that, else from
 * its modules. Asking this way changes nothing, unlike trying a bridge or a rule.
 */
final class KernelFeatures {
    /** Whether the kernel can do something. */
    enum Answer {
        BUILT_IN,
        /** Loaded when it is first used. */
        MODULE,
        ABSENT,
        /** Neither configuration nor modules are to be seen. */
        UNKNOWN
    }

    private final Host host;
    private final String release;
    private final Map<String, String> configuration = new HashMap<>();
    private String modules = "";

    KernelFeatures(Host host) {
        this.host = host;
        this.release = host.read("/proc/sys/kernel/osrelease").orElse("");
        read(host.path("/proc/config.gz"));
        if (configuration.isEmpty()) {
            read(host.path("/boot/config-" + release));
        }
        for (String list : new String[] {"modules.builtin", "modules.dep"}) {
            modules += host.read("/lib/modules/" + release + "/" + list).orElse("") + "\n";
        }
    }

    String release() {
        return release;
    }

    /**
     * @param option such as CONFIG_VETH
     * @param module its name as a module
     */
    Answer has(String option, String module) {
        String value = configuration.get(option);
        if (value != null) {
            return value.equals("y") ? Answer.BUILT_IN : Answer.MODULE;
        }
        if (Files.exists(host.path("/sys/module/" + module))) {
            return Answer.BUILT_IN;
        }
        if (!configuration.isEmpty()) {
            return Answer.ABSENT;
        }
        if (modules.contains("/" + module + ".ko")) {
            return Answer.MODULE;
        }
        return modules.isBlank() ? Answer.UNKNOWN : Answer.ABSENT;
    }

    private void read(Path file) {
        if (!Files.isReadable(file)) {
            return;
        }
        boolean packed = file.toString().endsWith(".gz");
        try (InputStream raw = Files.newInputStream(file);
                InputStream in = packed ? new GZIPInputStream(raw) : raw;
                BufferedReader lines =
                        new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                int equals = line.indexOf('=');
                if (line.startsWith("CONFIG_") && equals > 0) {
                    configuration.put(line.substring(0, equals), line.substring(equals + 1));
                }
            }
        } catch (IOException e) {
            configuration.clear();
        }
    }
}
