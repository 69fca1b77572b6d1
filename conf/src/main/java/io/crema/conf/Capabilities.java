package io.crema.conf;

import java.util.Locale;
import java.util.Set;

/** The names of Linux's capabilities (capabilities(7)), without CAP_. */
final class Capabilities {
    private static final Set<String> NAMES =
            Set.of(
                    "AUDIT_CONTROL",
                    "AUDIT_READ",
                    "AUDIT_WRITE",
                    "BLOCK_SUSPEND",
                    "BPF",
                    "CHECKPOINT_RESTORE",
                    "CHOWN",
                    "DAC_OVERRIDE",
                    "DAC_READ_SEARCH",
                    "FOWNER",
                    "FSETID",
                    "IPC_LOCK",
                    "IPC_OWNER",
                    "KILL",
                    "LEASE",
                    "LINUX_IMMUTABLE",
                    "MAC_ADMIN",
                    "MAC_OVERRIDE",
                    "MKNOD",
                    "NET_ADMIN",
                    "NET_BIND_SERVICE",
                    "NET_BROADCAST",
                    "NET_RAW",
                    "PERFMON",
                    "SETFCAP",
                    "SETGID",
                    "SETPCAP",
                    "SETUID",
                    "SYS_ADMIN",
                    "SYS_BOOT",
                    "SYS_CHROOT",
                    "SYS_MODULE",
                    "SYS_NICE",
                    "SYS_PACCT",
                    "SYS_PTRACE",
                    "SYS_RAWIO",
                    "SYS_RESOURCE",
                    "SYS_TIME",
                    "SYS_TTY_CONFIG",
                    "SYSLOG",
                    "WAKE_ALARM");

    private Capabilities() {}

    /**
     * The name in upper case and without CAP_.
     *
     * @throws IllegalArgumentException when Linux knows no such capability
     */
    static String canonical(String name) {
        String upper = name.toUpperCase(Locale.ROOT);
        String canonical = upper.startsWith("CAP_") ? upper.substring(4) : upper;
        Require.that(NAMES.contains(canonical), "there is no capability '" + name + "'");
        return canonical;
    }
}
