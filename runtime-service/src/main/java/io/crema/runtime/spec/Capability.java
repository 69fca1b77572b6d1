package io.crema.runtime.spec;

import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The capabilities(7) of Linux in the order of their numbers. */
public enum Capability {
    CHOWN(0),
    DAC_OVERRIDE(1),
    DAC_READ_SEARCH(2),
    FOWNER(3),
    FSETID(4),
    KILL(5),
    SETGID(6),
    SETUID(7),
    SETPCAP(8),
    LINUX_IMMUTABLE(9),
    NET_BIND_SERVICE(10),
    NET_BROADCAST(11),
    NET_ADMIN(12),
    NET_RAW(13),
    IPC_LOCK(14),
    IPC_OWNER(15),
    SYS_MODULE(16),
    SYS_RAWIO(17),
    SYS_CHROOT(18),
    SYS_PTRACE(19),
    SYS_PACCT(20),
    SYS_ADMIN(21),
    SYS_BOOT(22),
    SYS_NICE(23),
    SYS_RESOURCE(24),
    SYS_TIME(25),
    SYS_TTY_CONFIG(26),
    MKNOD(27),
    LEASE(28),
    AUDIT_WRITE(29),
    AUDIT_CONTROL(30),
    SETFCAP(31),
    MAC_OVERRIDE(32),
    MAC_ADMIN(33),
    SYSLOG(34),
    WAKE_ALARM(35),
    BLOCK_SUSPEND(36),
    AUDIT_READ(37),
    PERFMON(38),
    BPF(39),
    CHECKPOINT_RESTORE(40);

    private static final String PREFIX = "CAP_";
    private static final Map<String, Capability> BY_NAME =
            Stream.of(values()).collect(Collectors.toMap(Enum::name, Function.identity()));

    private final int number;

    Capability(int number) {
        this.number = number;
    }

    /** The name in specifications: CAP_CHOWN. */
    public String specName() {
        return PREFIX + name();
    }

    /** Finds one by its name in any case, with or without CAP_. */
    public static Optional<Capability> parse(String text) {
        String name = text.toUpperCase(Locale.ROOT);
        return Optional.ofNullable(
                BY_NAME.get(name.startsWith(PREFIX) ? name.substring(PREFIX.length()) : name));
    }

    /** Reads a set as /proc shows it; numbers that are newer than this list are passed over. */
    public static Set<Capability> ofMask(long mask) {
        Set<Capability> set = EnumSet.noneOf(Capability.class);
        for (Capability capability : values()) {
            if ((mask >>> capability.number & 1) != 0) {
                set.add(capability);
            }
        }
        return set;
    }

    /** The specification's names in the order of the numbers. */
    static List<String> specNames(Set<Capability> capabilities) {
        return capabilities.stream().sorted().map(Capability::specName).toList();
    }
}
