package io.crema.cni;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * Reads CNI configuration: lists as they are, single plugins wrapped into a list of one (CNI
 * specification 1.1, section 1). Every IOException says in words what is wrong with the content;
 * the caller knows the file.
 */
final class NetworkConfigurationReader {
    private static final long MAX_FILE_BYTES = 1 << 20;
    private static final int MAX_PLUGINS = 64;

    private NetworkConfigurationReader() {}

    /** Reads a .conflist, .conf or .json file. */
    static NetworkConfiguration read(Path file) throws IOException {
        long size = Files.size(file);
        if (size > MAX_FILE_BYTES) {
            throw new IOException(
                    size + " bytes is more than a CNI configuration may have: " + MAX_FILE_BYTES);
        }
        ObjectNode json = Json.readObject(Files.readAllBytes(file));
        if (String.valueOf(file.getFileName()).endsWith(".conflist")) {
            return readList(json, file.toString(), Optional.ofNullable(file.getParent()));
        }
        if (!json.hasNonNull("type")) {
            throw new IOException(
                    json.has("plugins")
                            ? "has 'plugins', so its name must end in .conflist"
                            : "'type' is missing");
        }
        return readList(wrap(json), file.toString(), Optional.empty());
    }

    /** Reads a configuration list from the cache; all its plugins are inline. */
    static NetworkConfiguration readCached(byte[] content, String source) throws IOException {
        return readList(Json.readObject(content), source, Optional.empty());
    }

    private static ObjectNode wrap(ObjectNode plugin) {
        ObjectNode list = Json.object();
        for (String key : List.of("cniVersion", "name")) {
            if (plugin.has(key)) {
                list.set(key, plugin.get(key));
            }
        }
        list.putArray("plugins").add(plugin);
        return list;
    }

    /**
     * @param directory where plugins outside the list may lie, in a directory named like the
     *     network; empty when all are inline
     */
    private static NetworkConfiguration readList(
            ObjectNode list, String source, Optional<Path> directory) throws IOException {
        String name = text(list, "name");
        checkName(name);
        CniVersion version = version(list);
        JsonNode inline = list.path("plugins");
        if (!inline.isArray() && !inline.isMissingNode()) {
            throw new IOException("'plugins' must be an array");
        }
        List<PluginConfiguration> plugins = new ArrayList<>();
        for (JsonNode plugin : inline) {
            plugins.add(plugin(plugin));
        }
        if (directory.isPresent() && !flag(list, "loadOnlyInlinedPlugins")) {
            plugins.addAll(readDirectory(directory.get().resolve(name)));
        }
        if (plugins.isEmpty()) {
            throw new IOException("'plugins' is empty: a network needs at least one plugin");
        }
        if (plugins.size() > MAX_PLUGINS) {
            throw new IOException(
                    plugins.size() + " plugins are more than a network may have: " + MAX_PLUGINS);
        }
        return new NetworkConfiguration(
                name,
                version,
                flag(list, "disableCheck"),
                flag(list, "disableGC"),
                plugins,
                source,
                effective(list, version, plugins));
    }

    /** The list as it will be cached: one version, all plugins inline. */
    private static ObjectNode effective(
            ObjectNode list, CniVersion version, List<PluginConfiguration> plugins) {
        ObjectNode effective = Json.object();
        effective.setAll(list);
        effective.remove("cniVersions");
        effective.put("cniVersion", version.toString());
        effective.put("loadOnlyInlinedPlugins", true);
        ArrayNode array = effective.putArray("plugins");
        for (PluginConfiguration plugin : plugins) {
            array.add(plugin.json());
        }
        return effective;
    }

    private static List<PluginConfiguration> readDirectory(Path directory) throws IOException {
        List<PluginConfiguration> plugins = new ArrayList<>();
        if (!Files.isDirectory(directory)) {
            return plugins;
        }
        List<Path> files = new ArrayList<>();
        try (DirectoryStream<Path> found = Files.newDirectoryStream(directory, "*.conf")) {
            for (Path file : found) {
                files.add(file);
            }
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        files.sort(null);
        for (Path file : files) {
            try {
                plugins.add(plugin(Json.readObject(Files.readAllBytes(file))));
            } catch (IOException e) {
                throw new IOException(file + ": " + e.getMessage(), e);
            }
        }
        return plugins;
    }

    private static PluginConfiguration plugin(JsonNode json) throws IOException {
        if (!(json instanceof ObjectNode object)) {
            throw new IOException("each entry of 'plugins' must be an object");
        }
        String type = text(object, "type");
        // The type becomes a file name below the plugin directories and must not lead elsewhere.
        if (type.indexOf('/') >= 0 || type.equals("..") || type.equals(".")) {
            throw new IOException("'type' must be the plain name of a plugin, not '" + type + "'");
        }
        JsonNode wanted = object.path("capabilities");
        if (!wanted.isObject() && !wanted.isMissingNode()) {
            throw new IOException("'capabilities' of plugin '" + type + "' must be an object");
        }
        Set<String> capabilities = new HashSet<>();
        for (var capability : wanted.properties()) {
            if (capability.getValue().asBoolean(false)) {
                capabilities.add(capability.getKey());
            }
        }
        return new PluginConfiguration(type, object, capabilities);
    }

    /** The highest of cniVersions that we speak, otherwise cniVersion. */
    private static CniVersion version(ObjectNode list) throws IOException {
        Optional<CniVersion> best = Optional.empty();
        for (JsonNode offered : list.path("cniVersions")) {
            Optional<CniVersion> version = CniVersion.of(offered.asText());
            if (version.isPresent()
                    && (best.isEmpty() || version.get().compareTo(best.get()) > 0)) {
                best = version;
            }
        }
        if (best.isPresent()) {
            return best.get();
        }
        JsonNode written = list.path("cniVersion");
        if (written.isMissingNode()) {
            throw new IOException(
                    "'cniVersion' is missing; versions "
                            + CniVersion.range()
                            + " are supported, and a file without one would mean 0.1.0");
        }
        return CniVersion.of(written.asText())
                .orElseThrow(() ->
                        new IOException(
                                "cniVersion '"
                                        + written.asText()
                                        + "' is not supported; "
                                        + CniVersion.range()
                                        + " are"));
    }

    private static String text(ObjectNode object, String key) throws IOException {
        JsonNode value = object.path(key);
        if (!value.isTextual() || value.textValue().isEmpty()) {
            throw new IOException("'" + key + "' is missing or not a text");
        }
        return value.textValue();
    }

    private static boolean flag(ObjectNode object, String key) throws IOException {
        JsonNode value = object.path(key);
        if (value.isMissingNode() || value.isNull()) {
            return false;
        }
        // libcni takes the words as well, whatever their case.
        if (value.isBoolean()) {
            return value.booleanValue();
        }
        if (value.isTextual() && value.textValue().equalsIgnoreCase("true")) {
            return true;
        }
        if (value.isTextual() && value.textValue().equalsIgnoreCase("false")) {
            return false;
        }
        throw new IOException("'" + key + "' must be true or false");
    }

    private static void checkName(String name) throws IOException {
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            boolean alphanumeric =
                    (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
            if (!alphanumeric && (i == 0 || (c != '_' && c != '.' && c != '-'))) {
                throw new IOException(
                        "network name '"
                                + name
                                + "' must start with a letter or digit and have only letters,"
                                + " digits, '_', '.' and '-'");
            }
        }
    }
}
