package io.crema.image.registry;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.image.Images.Credentials;
import io.crema.image.reference.ImageReference;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/**
 * One file of credentials, containers-auth.json(5), which is also docker's config.json. Keys may be
 * a host, a namespace of a host, or a repository; the longest that fits a name wins.
 *
 * @param logins by key, in the normal form of {@link #normalKey}
 * @param helpers name of the credential helper by host
 * @param defaultHelper docker's {@code credsStore}; empty for none
 */
record AuthFile(
        Path file,
        Map<String, Credentials> logins,
        Map<String, String> helpers,
        String defaultHelper) {
    private static final long MAX_FILE_BYTES = 4 << 20;

    /** A missing or empty file holds nothing; a broken one is an error, not a missing login. */
    static AuthFile read(Path file) {
        byte[] content;
        try {
            if (Files.size(file) > MAX_FILE_BYTES) {
                throw broken(file, "is larger than " + MAX_FILE_BYTES + " bytes");
            }
            content = Files.readAllBytes(file);
        } catch (NoSuchFileException e) {
            return new AuthFile(file, Map.of(), Map.of(), "");
        } catch (IOException e) {
            throw broken(file, "cannot be read: " + e);
        }
        return parse(file, content);
    }

    /**
     * What a file's content says.
     *
     * @param file for messages
     */
    static AuthFile parse(Path file, byte[] content) {
        if (content.length == 0) {
            return new AuthFile(file, Map.of(), Map.of(), "");
        }
        JsonNode root;
        try {
            root = Json.parse(content);
        } catch (JsonProcessingException e) {
            // The parser's message may quote secrets; its position does not.
            throw broken(file, "is not JSON at line " + e.getLocation().getLineNr());
        }
        Map<String, Credentials> logins = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> entry : root.path("auths").properties()) {
            JsonNode login = entry.getValue();
            Credentials credentials =
                    new Credentials(
                            login.path("username").asText(""),
                            login.path("password").asText(""),
                            login.path("auth").asText(""),
                            "",
                            login.path("identitytoken").asText(""),
                            login.path("registrytoken").asText(""));
            String where = file + ", key '" + entry.getKey() + "'";
            Credentials plain = unpacked(credentials, where);
            if (!plain.equals(Credentials.none())) {
                logins.putIfAbsent(normalKey(entry.getKey()), plain);
            }
        }
        Map<String, String> helpers = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> entry : root.path("credHelpers").properties()) {
            helpers.put(normalKey(entry.getKey()), entry.getValue().asText(""));
        }
        return new AuthFile(file, logins, helpers, root.path("credsStore").asText(""));
    }

    /** The login whose key is the longest prefix of the repository. */
    Optional<Credentials> find(ImageReference reference) {
        String key = reference.repository();
        while (true) {
            Credentials found = logins.get(key);
            if (found != null) {
                return Optional.of(found);
            }
            int slash = key.lastIndexOf('/');
            if (slash < 0) {
                return Optional.empty();
            }
            key = key.substring(0, slash);
        }
    }

    /** The helper that this file names for a host. */
    Optional<String> helper(String host) {
        String helper = helpers.getOrDefault(host, defaultHelper);
        return helper.isEmpty() ? Optional.empty() : Optional.of(helper);
    }

    /**
     * A key as {@code host[:port][/path]}: old docker keys are URLs ending in an API version, which
     * is no namespace, and docker.io has several names.
     */
    static String normalKey(String key) {
        String bare = key;
        int scheme = bare.indexOf("://");
        boolean url = scheme >= 0;
        if (url) {
            bare = bare.substring(scheme + 3);
        }
        while (bare.endsWith("/")) {
            bare = bare.substring(0, bare.length() - 1);
        }
        int slash = bare.indexOf('/');
        String host = slash < 0 ? bare : bare.substring(0, slash);
        String path = slash < 0 ? "" : bare.substring(slash);
        if (url || path.equals("/v1") || path.equals("/v2")) {
            path = "";
        }
        return normalHost(host) + path;
    }

    static String normalHost(String host) {
        return host.equals("index.docker.io") || host.equals("registry-1.docker.io")
                ? ImageReference.DOCKER_HUB
                : host;
    }

    /** With the packed {@code auth} taken apart: base64 of {@code user:password}. */
    static Credentials unpacked(Credentials credentials, String where) {
        String username = credentials.username();
        String password = credentials.password();
        String identityToken = credentials.identityToken();
        if (username.isEmpty() && password.isEmpty() && !credentials.auth().isEmpty()) {
            String text;
            try {
                text =
                        new String(
                                Base64.getDecoder().decode(credentials.auth().strip()),
                                StandardCharsets.UTF_8);
            } catch (IllegalArgumentException e) {
                throw badAuth(where);
            }
            int colon = text.indexOf(':');
            if (colon < 0) {
                throw badAuth(where);
            }
            username = text.substring(0, colon);
            password = text.substring(colon + 1);
            while (password.endsWith("\0")) {
                password = password.substring(0, password.length() - 1);
            }
        }
        if (username.equals("<token>")) {
            // How credential helpers say that the secret is an identity token.
            identityToken = identityToken.isEmpty() ? password : identityToken;
            username = "";
            password = "";
        }
        return new Credentials(
                username, password, "", "", identityToken, credentials.registryToken());
    }

    private static ImageException badAuth(String where) {
        return new ImageException(
                ErrorKind.INVALID_ARGUMENT,
                "the 'auth' value of "
                        + where
                        + " is not base64 of user:password; make it anew, for example with"
                        + " 'skopeo login'");
    }

    private static ImageException broken(Path file, String problem) {
        return new ImageException(
                ErrorKind.FAILED_PRECONDITION,
                "credentials file " + file + " " + problem + "; repair or remove it");
    }

    @Override
    public String toString() {
        return file.toString();
    }
}
