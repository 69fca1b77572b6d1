package io.crema.cni;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.Set;

/**
 * One plugin's part of a network configuration.
 *
 * @param type the name of the plugin's executable
 * @param json the object as written; never changed, copied before anything is added
 * @param capabilities those set to true: what the plugin wants in runtimeConfig
 */
record PluginConfiguration(String type, ObjectNode json, Set<String> capabilities) {
    PluginConfiguration {
        capabilities = Set.copyOf(capabilities);
    }
}
