package io.crema.e2e;

import io.crema.e2e.node.TestNode;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * An OCI runtime and a CRIU that are scripted, because many kernels are not fit for the real one:
 * {@code criu check} says what it is told, the runtime's checkpoint writes down how it was called,
 * and its restore starts the container's command again.
 */
final class ScriptedCriu {
    private static final String RUNTIME =
            """
            #!/bin/bash
            all=("$@"); operation=; globals=()
            for word in "$@"; do
              case $word in checkpoint|restore) operation=$word; break ;; -*) globals+=("$word") ;; *) break ;; esac
            done
            [ -n "$operation" ] || exec /usr/sbin/runc "${all[@]}"
            printf '%s\\n' "$@" >@directory@/$operation.arguments
            bundle= pid= images= work= console=
            while [ $# -gt 1 ]; do
              case $1 in
              --bundle) bundle=$2; shift ;; --pid-file) pid=$2; shift ;;
              --image-path) images=$2; shift ;; --work-path) work=$2; shift ;;
              esac
              shift
            done
            action=$(cat @directory@/action)
            if [ $operation = checkpoint ]; then
              /usr/sbin/runc "${globals[@]}" state "$1" >@directory@/state
              case $action in
              fail) echo '(00.1) Error (criu/mem.c:1): cannot dump this' >$work/dump.log
                echo 'criu failed: type NOTIFY errno 0' >&2; exit 1 ;;
              hang) exec sleep 60 ;;
              busy) mkdir $work/busy; mount -t tmpfs busy $work/busy ;;
              slow) : >@directory@/dumping; while [ ! -e @directory@/go ]; do sleep 0.05; done
                # As CRIU, which freezes again what was frozen when it came.
                /usr/sbin/runc "${globals[@]}" resume "$1" 2>/dev/null; /usr/sbin/runc "${globals[@]}" pause "$1"
                : >@directory@/dumped ;;
              esac
              echo inventory >$images/inventory.img; echo pages >$images/pages-1.img
              echo log >$work/dump.log; exit 0
            fi
            ls $images >@directory@/restored.images
            if [ "$action" = fail ]; then
              echo '(00.1) Error (criu/cr-restore.c:1): cannot restore this' >$work/restore.log
              echo 'criu failed: type NOTIFY errno 0' >&2; exit 1
            fi
            if [ "$action" = early ]; then
              root=$(dirname "$(dirname "$images")"); root=${root%/restore}
              echo 3 >$root/persist/exit; echo 3 >@directory@/exits/$1; sleep 6
              echo 'criu failed: too late' >&2; exit 1
            fi
            /usr/sbin/runc "${globals[@]}" create --bundle "$bundle" --pid-file "$pid" "$1" && /usr/sbin/runc "${globals[@]}" start "$1" || exit 1
            nsenter --uts=/proc/$(cat "$pid")/ns/uts sh -c 'echo of-the-checkpoint >/proc/sys/kernel/hostname' || exit 1
            [ "$action" != slow ] || { : >@directory@/restoring; while :; do sleep 0.05; done; }
            """;
    private static final String CRIU =
            """
            #!/bin/sh
            [ "$1" = check ] || { echo "Version: 4.2"; exit 0; }
            [ "$(cat @directory@/action)" = unfit ] || exit 0
            echo "Error (criu/cr-check.c:1): this kernel lacks something" >&2
            exit 1
            """;

    private final Path directory;

    private ScriptedCriu(Path directory) {
        this.directory = directory;
    }

    static ScriptedCriu in(Path directory) throws IOException {
        ScriptedCriu scripted = new ScriptedCriu(directory);
        scripted.script("runc", RUNTIME);
        scripted.does("");
        return scripted;
    }

    Path runtime() {
        return directory.resolve("runc");
    }

    /** What the scripts leave and look for. */
    Path file(String name) {
        return directory.resolve(name);
    }

    void installOn(TestNode node) throws IOException {
        Path programs = Files.createDirectories(node.programs());
        Files.move(script("criu", CRIU), programs.resolve("criu"));
        Files.createSymbolicLink(directory.resolve("exits"), node.runDirectory().resolve("exits"));
    }

    /**
     * @param what empty for what it should, or fail, hang, unfit, busy, slow, early
     */
    void does(String what) throws IOException {
        Files.writeString(directory.resolve("action"), what);
    }

    private Path script(String name, String text) throws IOException {
        Path file = directory.resolve(name);
        Files.writeString(file, text.replace("@directory@", directory.toString()));
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
        return file;
    }
}
