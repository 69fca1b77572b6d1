package io.crema.e2e;

import io.crema.e2e.node.NodeSetup;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** A stand-in for runc and one more CNI plugin; both fail or hang when told to. */
final class Faults {
    static final String PLUGIN = "e2e-fault";
    static final String MESSAGE = "scripted failure";

    private static final long HANG_STARTS_SECONDS = 20;

    /** What to do at OPERATION; a hang ends when the fault is taken back, or after a minute. */
    private static final String FAULT =
            """
            echo "$operation" >>@directory@/calls
            read -r faulty action nth <@directory@/fault || faulty=
            if [ "$faulty" = "$operation" ] && [ "$(grep -cx "$operation" @directory@/calls)" -ge "$nth" ]; then
              case $action in
              fail) refuse ;;
              hang)
                : >@directory@/hanging
                for i in $(seq 600); do [ -s @directory@/fault ] || break; sleep 0.1; done ;;
              esac
            fi
            """;

    private static final String RUNTIME =
            """
            #!/bin/sh
            operation=
            for word in "$@"; do
              case $word in create|start|kill|delete|exec|state|update|features) operation=$word; break ;; esac
            done
            refuse() { echo "@message@ of $operation" >&2; exit 1; }
            @fault@
            exec /usr/sbin/runc "$@"
            """;

    private static final String CNI_PLUGIN =
            """
            #!/bin/sh
            operation=$CNI_COMMAND
            input=$(cat)
            refuse() { echo '{"cniVersion":"1.0.0","code":11,"msg":"@message@","details":"of '"$operation"'"}'; exit 1; }
            @fault@
            case $operation in
            VERSION) echo '{"cniVersion":"1.0.0","supportedVersions":["0.3.1","0.4.0","1.0.0"]}' ;;
            ADD) echo "$input" | jq -c .prevResult ;;
            esac
            """;

    private final Path directory;

    Faults(Path directory) {
        this.directory = directory;
        script("runc", RUNTIME);
        script(PLUGIN, CNI_PLUGIN);
        none();
    }

    NodeSetup on(NodeSetup setup) {
        return setup.withOciRuntime(directory.resolve("runc"))
                .withPlugin(directory.resolve(PLUGIN));
    }

    /** From now on, each of the operation's calls from the n-th on fails. */
    void fail(String operation, int nth) {
        set(operation + " fail " + nth + "\n");
    }

    void fail(String operation) {
        fail(operation, 1);
    }

    /** From now on, each of the operation's calls hangs. */
    void hang(String operation) {
        set(operation + " hang 1\n");
    }

    /** All is well; what hangs goes on. */
    void none() {
        set("");
    }

    /** The operations that were called since the last order. */
    List<String> calls() {
        try {
            return Files.readAllLines(directory.resolve("calls"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    void awaitHang() throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(HANG_STARTS_SECONDS);
        while (!Files.exists(directory.resolve("hanging"))) {
            if (System.nanoTime() > end) {
                throw new AssertionError("nothing hangs; called were " + calls());
            }
            TimeUnit.MILLISECONDS.sleep(10);
        }
    }

    private void set(String fault) {
        try {
            Files.deleteIfExists(directory.resolve("hanging"));
            Files.writeString(directory.resolve("calls"), "");
            Files.writeString(directory.resolve("fault"), fault);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void script(String name, String text) {
        try {
            Path file = directory.resolve(name);
            Files.writeString(
                    file,
                    text.replace("@fault@", FAULT)
                            .replace("@directory@", directory.toString())
                            .replace("@message@", MESSAGE));
            Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
