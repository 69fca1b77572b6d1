package io.crema.cni;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * CNI plugins that are shell scripts: they note what they were given and do what the test wrote for
 * them, otherwise what a good plugin does.
 */
final class ScriptedPlugins {
    /** What a plugin was called with. */
    record Call(String plugin, String command, Map<String, String> environment, ObjectNode input) {
        String name() {
            return command + " " + plugin;
        }
    }

    private static final String SCRIPT =
            """
            #!/bin/sh
            here=@HERE@
            plugin=@PLUGIN@
            n=1
            until (set -C; : > "$here/$n.taken") 2>/dev/null; do
                [ -d "$here" ] || exit 1 # the test is over
                n=$((n + 1))
            done
            env > "$here/$n.env"
            cat > "$here/$n.in"
            printf '%s\\n%s\\n' "$plugin" "$CNI_COMMAND" > "$here/$n.part"
            mv "$here/$n.part" "$here/$n.call"
            if [ -f "$here/$plugin.$CNI_COMMAND" ]; then
                . "$here/$plugin.$CNI_COMMAND"
            fi
            case "$CNI_COMMAND" in
            ADD)
                printf '{"cniVersion":"1.1.0","interfaces":[{"name":"veth0"},'
                printf '{"name":"eth0","sandbox":"%s"}],' "$CNI_NETNS"
                printf '"ips":[{"address":"10.1.0.9/16","interface":1}],"by":"%s"}' "$plugin"
                ;;
            VERSION)
                echo '{"cniVersion":"1.1.0",'
                echo '"supportedVersions":["0.3.0","0.3.1","0.4.0","1.0.0","1.1.0"]}'
                ;;
            esac
            """;

    private final Path binaries;
    private final Path notes;

    ScriptedPlugins(Path directory, String... names) throws IOException {
        this.binaries = Files.createDirectory(directory.resolve("bin"));
        this.notes = Files.createDirectory(directory.resolve("notes"));
        for (String name : names) {
            install(name);
        }
    }

    Path binaries() {
        return binaries;
    }

    void install(String name) throws IOException {
        Path script = binaries.resolve(name);
        Files.writeString(
                script, SCRIPT.replace("@HERE@", notes.toString()).replace("@PLUGIN@", name));
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
    }

    /** Shell lines that run before the default answer; they may exit. */
    void on(String command, String plugin, String lines) throws IOException {
        Path file = notes.resolve(plugin + "." + command);
        Path staged = notes.resolve("staged");
        Files.writeString(staged, lines + "\n");
        Files.move(staged, file, StandardCopyOption.REPLACE_EXISTING);
    }

    void failOn(String command, String plugin, int code, String message) throws IOException {
        on(
                command,
                plugin,
                "echo '{\"cniVersion\":\"1.0.0\",\"code\":%d,\"msg\":\"%s\"}'; exit 1"
                        .formatted(code, message));
    }

    void behaveOn(String command, String plugin) throws IOException {
        Files.deleteIfExists(notes.resolve(plugin + "." + command));
    }

    /**
     * Everything that was asked so far, in order, VERSION aside, which the background may ask any
     * time.
     */
    List<Call> calls() throws IOException {
        List<Call> calls = new ArrayList<>();
        for (int n = 1; Files.exists(notes.resolve(n + ".taken")); n++) {
            if (!Files.exists(notes.resolve(n + ".call"))) {
                continue;
            }
            List<String> call = Files.readAllLines(notes.resolve(n + ".call"));
            if (call.get(1).equals("VERSION")) {
                continue;
            }
            Map<String, String> environment = new HashMap<>();
            for (String line :
                    Files.readAllLines(notes.resolve(n + ".env"), StandardCharsets.UTF_8)) {
                int equals = line.indexOf('=');
                if (equals > 0) {
                    environment.put(line.substring(0, equals), line.substring(equals + 1));
                }
            }
            calls.add(
                    new Call(
                            call.get(0),
                            call.get(1),
                            environment,
                            Json.readObject(Files.readAllBytes(notes.resolve(n + ".in")))));
        }
        return calls;
    }

    /** "ADD bridge" and so on, in order. */
    List<String> callNames() throws IOException {
        List<String> names = new ArrayList<>();
        for (Call call : calls()) {
            names.add(call.name());
        }
        return names;
    }
}
