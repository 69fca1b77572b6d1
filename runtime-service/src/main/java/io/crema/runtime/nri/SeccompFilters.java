package io.crema.runtime.nri;

import io.crema.nri.v1alpha1.Field;
import io.crema.nri.v1alpha1.LinuxSeccompArg;
import io.crema.nri.v1alpha1.LinuxSyscall;
import io.crema.oci.spec.LinuxSeccomp;
import io.crema.oci.spec.LinuxSeccomp.Argument;
import io.crema.oci.spec.LinuxSeccomp.Syscall;
import io.crema.oci.spec.UnsignedLong;
import io.crema.runtime.spec.NodeFacts;
import io.crema.runtime.spec.SeccompProfile;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** A seccomp filter that a plugin sets, as the specification says it. */
final class SeccompFilters {
    private SeccompFilters() {}

    static LinuxSeccomp toSpec(
            io.crema.nri.v1alpha1.LinuxSeccomp wanted, NodeFacts node, Refusals refusals) {
        if (!node.seccomp()) {
            throw refusals.of(
                    Field.SeccompPolicy, "the kernel of this node is built without seccomp");
        }
        action(wanted.getDefaultAction(), refusals);
        List<Syscall> rules = new ArrayList<>();
        for (LinuxSyscall rule : wanted.getSyscallsList()) {
            action(rule.getAction(), refusals);
            if (rule.getNamesCount() == 0) {
                throw refusals.of(Field.SeccompPolicy, "a rule names no system call");
            }
            List<Argument> arguments = new ArrayList<>();
            for (LinuxSeccompArg argument : rule.getArgsList()) {
                arguments.add(
                        new Argument(
                                argument.getIndex(),
                                UnsignedLong.of(argument.getValue()),
                                UnsignedLong.of(argument.getValueTwo()),
                                argument.getOp()));
            }
            rules.add(
                    new Syscall(
                            rule.getNamesList(),
                            rule.getAction(),
                            rule.hasErrnoRet()
                                    ? Integer.valueOf(rule.getErrnoRet().getValue())
                                    : null,
                            arguments));
        }
        return new LinuxSeccomp(
                wanted.getDefaultAction(),
                wanted.hasDefaultErrno()
                        ? Integer.valueOf(wanted.getDefaultErrno().getValue())
                        : null,
                wanted.getArchitecturesList(),
                wanted.getFlagsList(),
                orNull(wanted.getListenerPath()),
                orNull(wanted.getListenerMetadata()),
                rules);
    }

    private static void action(String action, Refusals refusals) {
        if (!SeccompProfile.isAction(action)) {
            throw refusals.of(Field.SeccompPolicy, "the action '" + action + "' is unknown");
        }
    }

    private static @Nullable String orNull(String text) {
        return text.isEmpty() ? null : text;
    }
}
