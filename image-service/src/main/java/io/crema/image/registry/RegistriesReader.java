package io.crema.image.registry;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.toml.TomlMapper;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.image.reference.ImageName;
import io.crema.image.reference.ImageReference;
import io.crema.image.registry.RegistriesConfiguration.Mirror;
import io.crema.image.registry.RegistriesConfiguration.PullFromMirror;
import io.crema.image.registry.RegistriesConfiguration.Registry;
import io.crema.image.registry.RegistriesConfiguration.ShortNameMode;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads registries.conf, version 2, and the {@code *.conf} files of its drop-in directory in
 * lexical order (containers-registries.conf.d(5)): a later file replaces whole entries of the same
 * prefix and whole lists, and adds aliases. An error refuses the whole configuration and names file
 * and place.
 */
public final class RegistriesReader {
    /** Where registries.conf may be missing because nobody asked for one. */
    public static final Path DEFAULT_FILE = Path.of("/etc/containers/registries.conf");

    private static final Logger LOG = LoggerFactory.getLogger(RegistriesReader.class);

    private static final long MAX_FILE_BYTES = 4 << 20;

    private static final Set<String> TOP_KEYS =
            Set.of(
                    "unqualified-search-registries",
                    "registry",
                    "aliases",
                    "short-name-mode",
                    "credential-helpers",
                    "additional-layer-store-auth-helper");
    private static final Set<String> REGISTRY_KEYS =
            Set.of("prefix", "location", "insecure", "blocked", "mirror-by-digest-only", "mirror");
    private static final Set<String> MIRROR_KEYS =
            Set.of("location", "insecure", "pull-from-mirror");

    private final TomlMapper toml = new TomlMapper();
    private final Map<String, Registry> registries = new LinkedHashMap<>();
    private final Map<String, String> aliases = new LinkedHashMap<>();
    private List<String> searchRegistries = List.of();
    private List<String> credentialHelpers = List.of();
    private ShortNameMode shortNameMode = ShortNameMode.ENFORCING;

    private RegistriesReader() {}

    /**
     * Reads a file and its drop-ins. The drop-in directory may be missing, the file only when it is
     * the default one.
     *
     * @throws ImageException INVALID_ARGUMENT, naming file, key and remedy
     */
    public static RegistriesConfiguration read(Path file, Path dropInDirectory) {
        RegistriesReader reader = new RegistriesReader();
        if (Files.exists(file) || !file.equals(DEFAULT_FILE)) {
            reader.add(file);
        }
        for (Path dropIn : dropIns(dropInDirectory)) {
            reader.add(dropIn);
        }
        return new RegistriesConfiguration(
                reader.searchRegistries,
                List.copyOf(reader.registries.values()),
                reader.aliases,
                reader.shortNameMode,
                reader.credentialHelpers);
    }

    private static List<Path> dropIns(Path directory) {
        List<Path> files = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory, "*.conf")) {
            for (Path entry : entries) {
                files.add(entry);
            }
        } catch (NoSuchFileException | NotDirectoryException e) {
            return List.of();
        } catch (IOException e) {
            throw invalid(directory, "cannot be read: " + e, e);
        }
        Collections.sort(files);
        return files;
    }

    private void add(Path file) {
        String text;
        try {
            if (Files.size(file) > MAX_FILE_BYTES) {
                throw invalid(file, "is larger than " + MAX_FILE_BYTES + " bytes", null);
            }
            text = Files.readString(file);
        } catch (IOException e) {
            throw invalid(file, "cannot be read: " + e, e);
        }
        refuseVersion1(file, text);
        JsonNode root;
        try {
            root = toml.readTree(text);
        } catch (JsonProcessingException e) {
            throw invalid(
                    file,
                    "is not TOML at line "
                            + e.getLocation().getLineNr()
                            + ": "
                            + e.getOriginalMessage(),
                    e);
        }
        warnUnknown(file, root, TOP_KEYS, "the top level");
        if (root.has("unqualified-search-registries")) {
            searchRegistries = texts(file, root, "unqualified-search-registries", "the top level");
            for (String registry : searchRegistries) {
                checkLocation(file, registry, "unqualified-search-registries");
            }
        }
        if (root.has("credential-helpers")) {
            credentialHelpers = texts(file, root, "credential-helpers", "the top level");
        }
        if (root.has("short-name-mode")) {
            shortNameMode = shortNameMode(file, text(file, root, "short-name-mode", ""));
        }
        addAliases(file, root.path("aliases"));
        addRegistries(file, root.path("registry"));
    }

    /** Version 1 has tables below [registries]; it cannot be told apart by any version key. */
    private static void refuseVersion1(Path file, String text) {
        int number = 0;
        for (String line : text.split("\n", -1)) {
            number++;
            String bare = line.strip();
            if (bare.startsWith("[registries.") || bare.startsWith("[registries]")) {
                String remedy =
                        bare.startsWith("[registries.search]")
                                ? "replace it and its 'registries = […]' by"
                                        + " 'unqualified-search-registries = […]' at the top of"
                                        + " the file"
                                : bare.startsWith("[registries.insecure]")
                                        ? "write '[[registry]]' with 'location = \"host\"' and"
                                                + " 'insecure = true' for each of its hosts"
                                        : bare.startsWith("[registries.block]")
                                                ? "write '[[registry]]' with 'location ="
                                                        + " \"host\"' and 'blocked = true' for"
                                                        + " each of its hosts"
                                                : "rewrite it as '[[registry]]' entries";
                throw invalid(
                        file,
                        "line "
                                + number
                                + " '"
                                + bare
                                + "' is of version 1 of the format, which is not read any more: "
                                + remedy,
                        null);
            }
        }
    }

    private void addAliases(Path file, JsonNode table) {
        if (table.isMissingNode()) {
            return;
        }
        requireTable(file, table, "[aliases]");
        for (Map.Entry<String, JsonNode> entry : table.properties()) {
            String name = entry.getKey();
            if (!entry.getValue().isTextual()) {
                throw invalid(file, "[aliases] \"" + name + "\" must be a text", null);
            }
            String target = entry.getValue().textValue();
            if (target.isEmpty()) {
                // An empty target takes back an alias of an earlier file.
                aliases.remove(name);
                continue;
            }
            try {
                ImageReference reference = ImageReference.parse(target);
                if (reference.tag().isPresent() || reference.digest().isPresent()) {
                    throw invalid(
                            file,
                            "[aliases] \""
                                    + name
                                    + "\" = \""
                                    + target
                                    + "\" must not have a tag or digest",
                            null);
                }
                ImageName shortName = ImageName.parse(name);
                if (shortName instanceof ImageReference
                        || shortName.tag().isPresent()
                        || shortName.digest().isPresent()) {
                    throw invalid(
                            file,
                            "[aliases] \""
                                    + name
                                    + "\" must be a name without registry, tag or digest",
                            null);
                }
                aliases.put(name, reference.repository());
            } catch (ImageException e) {
                throw invalid(file, "[aliases] \"" + name + "\": " + e.getMessage(), e);
            }
        }
    }

    private void addRegistries(Path file, JsonNode tables) {
        if (tables.isMissingNode()) {
            return;
        }
        if (!tables.isArray()) {
            throw invalid(file, "[registry] must be written [[registry]]", null);
        }
        Map<String, Registry> ofThisFile = new LinkedHashMap<>();
        int number = 0;
        for (JsonNode table : tables) {
            number++;
            Registry registry = registry(file, table, number);
            Registry same = ofThisFile.put(registry.prefix(), registry);
            if (same != null && !same.equals(registry)) {
                throw invalid(
                        file,
                        "[[registry]] '"
                                + registry.prefix()
                                + "' is defined twice with different settings; keep one",
                        null);
            }
        }
        registries.putAll(ofThisFile);
    }

    private static Registry registry(Path file, JsonNode table, int number) {
        String where = "[[registry]] number " + number;
        requireTable(file, table, where);
        warnUnknown(file, table, REGISTRY_KEYS, where);
        String location = withoutSlash(text(file, table, "location", where));
        String prefix = withoutSlash(text(file, table, "prefix", where));
        if (prefix.isEmpty()) {
            prefix = location;
        }
        if (prefix.isEmpty()) {
            throw invalid(file, where + " has neither prefix nor location; give it one", null);
        }
        where = "[[registry]] '" + prefix + "'";
        boolean wildcard = prefix.startsWith("*.");
        if (prefix.indexOf('*', wildcard ? 1 : 0) >= 0) {
            throw invalid(
                    file, where + ": '*' can only be the first label, as in *.example.com", null);
        }
        if (location.isEmpty() && !wildcard) {
            location = prefix;
        }
        if (!location.isEmpty()) {
            checkLocation(file, location, where + " location");
        }
        List<Mirror> mirrors = new ArrayList<>();
        boolean byDigestOnly = flag(file, table, "mirror-by-digest-only", where);
        JsonNode mirrorTables = table.path("mirror");
        if (!mirrorTables.isMissingNode() && !mirrorTables.isArray()) {
            throw invalid(file, where + ": mirrors must be written [[registry.mirror]]", null);
        }
        for (JsonNode mirror : mirrorTables) {
            mirrors.add(mirror(file, mirror, where, byDigestOnly));
        }
        return new Registry(
                prefix,
                location,
                flag(file, table, "insecure", where),
                flag(file, table, "blocked", where),
                byDigestOnly,
                mirrors);
    }

    private static Mirror mirror(Path file, JsonNode table, String registry, boolean byDigestOnly) {
        String where = registry + " mirror";
        requireTable(file, table, where);
        warnUnknown(file, table, MIRROR_KEYS, where);
        String location = withoutSlash(text(file, table, "location", where));
        if (location.isEmpty()) {
            throw invalid(file, where + " has no location; give it one", null);
        }
        checkLocation(file, location, where + " location");
        PullFromMirror pullFrom =
                switch (text(file, table, "pull-from-mirror", where)) {
                    case "", "all" -> PullFromMirror.ALL;
                    case "digest-only" -> PullFromMirror.DIGEST_ONLY;
                    case "tag-only" -> PullFromMirror.TAG_ONLY;
                    case String other ->
                            throw invalid(
                                    file,
                                    where
                                            + " '"
                                            + location
                                            + "': pull-from-mirror is '"
                                            + other
                                            + "' and must be all, digest-only or tag-only",
                                    null);
                };
        if (byDigestOnly && table.has("pull-from-mirror")) {
            throw invalid(
                    file,
                    where
                            + " '"
                            + location
                            + "': pull-from-mirror cannot be combined with mirror-by-digest-only"
                            + " of its registry; keep one of them",
                    null);
        }
        return new Mirror(location, flag(file, table, "insecure", where), pullFrom);
    }

    private static ShortNameMode shortNameMode(Path file, String word) {
        return switch (word) {
            case "enforcing" -> ShortNameMode.ENFORCING;
            case "permissive" -> ShortNameMode.PERMISSIVE;
            case "disabled" -> ShortNameMode.DISABLED;
            default ->
                    throw invalid(
                            file,
                            "short-name-mode is '"
                                    + word
                                    + "' and must be enforcing, permissive or disabled",
                            null);
        };
    }

    /** A location is a host with an optional path, never a URL. */
    private static void checkLocation(Path file, String location, String where) {
        if (location.contains("://")) {
            throw invalid(
                    file,
                    where
                            + " '"
                            + location
                            + "' must not have a scheme: write '"
                            + location.substring(location.indexOf("://") + 3)
                            + "', and 'insecure = true' for plain http",
                    null);
        }
        try {
            int slash = location.indexOf('/');
            // The grammar wants a path; any will do to check a bare host.
            var _ =
                    new ImageReference(
                            slash < 0 ? location : location.substring(0, slash),
                            slash < 0 ? "any" : location.substring(slash + 1),
                            Optional.empty(),
                            Optional.empty());
        } catch (ImageException e) {
            throw invalid(file, where + " '" + location + "': " + e.getMessage(), e);
        }
    }

    private static String withoutSlash(String location) {
        String bare = location;
        while (bare.endsWith("/")) {
            bare = bare.substring(0, bare.length() - 1);
        }
        return bare;
    }

    private static void requireTable(Path file, JsonNode node, String where) {
        if (!node.isObject()) {
            throw invalid(file, where + " must be a table", null);
        }
    }

    private static String text(Path file, JsonNode table, String key, String where) {
        JsonNode value = table.path(key);
        if (value.isMissingNode()) {
            return "";
        }
        if (!value.isTextual()) {
            throw invalid(file, where + ": " + key + " must be a text in quotes", null);
        }
        return value.textValue();
    }

    private static boolean flag(Path file, JsonNode table, String key, String where) {
        JsonNode value = table.path(key);
        if (value.isMissingNode()) {
            return false;
        }
        if (!value.isBoolean()) {
            throw invalid(file, where + ": " + key + " must be true or false", null);
        }
        return value.booleanValue();
    }

    private static List<String> texts(Path file, JsonNode table, String key, String where) {
        JsonNode value = table.path(key);
        List<String> texts = new ArrayList<>(value.size());
        boolean valid = value.isArray();
        for (JsonNode element : value) {
            valid = valid && element.isTextual();
            texts.add(element.asText());
        }
        if (!valid) {
            throw invalid(file, where + ": " + key + " must be a list of texts", null);
        }
        return texts;
    }

    private static void warnUnknown(Path file, JsonNode table, Set<String> known, String where) {
        for (Map.Entry<String, JsonNode> entry : table.properties()) {
            if (!known.contains(entry.getKey())) {
                LOG.warn("{}: {} has unknown key '{}', ignored", file, where, entry.getKey());
            }
        }
    }

    private static ImageException invalid(Path file, String problem, @Nullable Throwable cause) {
        return new ImageException(
                ErrorKind.INVALID_ARGUMENT,
                "registries configuration " + file + " " + problem,
                cause);
    }
}
