package io.crema.oci.spec;

import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Which system calls are let through (runtime-spec, config-linux.md: seccomp).
 *
 * @param defaultErrnoRet absent for EPERM
 */
public record LinuxSeccomp(
        String defaultAction,
        @Nullable Integer defaultErrnoRet,
        List<String> architectures,
        List<String> flags,
        @Nullable String listenerPath,
        @Nullable String listenerMetadata,
        List<Syscall> syscalls) {
    /** A rule for some system calls: the action is taken when all arguments match. */
    public record Syscall(
            List<String> names, String action, @Nullable Integer errnoRet, List<Argument> args) {
        public Syscall {
            names = Lists.copy(names);
            args = Lists.copy(args);
        }
    }

    /**
     * A condition on one argument.
     *
     * @param op such as SCMP_CMP_MASKED_EQ
     */
    public record Argument(
            int index, UnsignedLong value, @Nullable UnsignedLong valueTwo, String op) {}

    public LinuxSeccomp {
        architectures = Lists.copy(architectures);
        flags = Lists.copy(flags);
        syscalls = Lists.copy(syscalls);
    }
}
