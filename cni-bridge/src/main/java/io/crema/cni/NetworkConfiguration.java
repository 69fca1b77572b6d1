package io.crema.cni;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;

/**
 * A network: a chain of plugins, as a conflist describes it.
 *
 * @param source the file it came from, for messages
 * @param disableCheck CHECK must not be called
 * @param disableGc GC must not be called, for instance because several runtimes share the network
 * @param json the whole as a configuration list with all its plugins inline
 */
record NetworkConfiguration(
        String name,
        CniVersion version,
        boolean disableCheck,
        boolean disableGc,
        List<PluginConfiguration> plugins,
        String source,
        ObjectNode json) {
    NetworkConfiguration {
        plugins = List.copyOf(plugins);
    }

    /** Whether any plugin asks for the capability. */
    boolean wants(String capability) {
        for (PluginConfiguration plugin : plugins) {
            if (plugin.capabilities().contains(capability)) {
                return true;
            }
        }
        return false;
    }
}
