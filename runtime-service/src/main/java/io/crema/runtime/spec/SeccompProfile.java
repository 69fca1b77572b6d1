package io.crema.runtime.spec;

import com.fasterxml.jackson.annotation.JsonCreator;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.crema.oci.spec.LinuxSeccomp;
import io.crema.oci.spec.LinuxSeccomp.Argument;
import io.crema.oci.spec.LinuxSeccomp.Syscall;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A seccomp profile in the JSON form that all container engines share: that of the OCI
 * specification, plus conditions on capabilities, architecture and kernel, and sub-architectures.
 */
public final class SeccompProfile {
    private static final ObjectMapper JSON =
            new ObjectMapper().disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);

    private static final Set<String> ACTIONS =
            Set.of(
                    "SCMP_ACT_KILL",
                    "SCMP_ACT_KILL_PROCESS",
                    "SCMP_ACT_KILL_THREAD",
                    "SCMP_ACT_TRAP",
                    "SCMP_ACT_ERRNO",
                    "SCMP_ACT_TRACE",
                    "SCMP_ACT_ALLOW",
                    "SCMP_ACT_LOG",
                    "SCMP_ACT_NOTIFY");

    private final Document document;

    /** Whether the OCI runtime specification knows the action. */
    public static boolean isAction(String action) {
        return ACTIONS.contains(action);
    }

    private SeccompProfile(Document document) {
        this.document = document;
    }

    record Document(
            @Nullable String defaultAction,
            @Nullable Integer defaultErrnoRet,
            List<String> architectures,
            List<Architecture> archMap,
            List<String> flags,
            @Nullable String listenerPath,
            @Nullable String listenerMetadata,
            List<Rule> syscalls) {
        Document {
            architectures = orEmpty(architectures);
            archMap = orEmpty(archMap);
            flags = orEmpty(flags);
            syscalls = orEmpty(syscalls);
        }
    }

    record Architecture(@Nullable String architecture, List<String> subArchitectures) {
        Architecture {
            subArchitectures = orEmpty(subArchitectures);
        }
    }

    record Rule(
            List<String> names,
            @Nullable String name,
            @Nullable String action,
            @Nullable Integer errnoRet,
            List<Argument> args,
            Condition includes,
            Condition excludes) {
        Rule {
            names = name == null ? orEmpty(names) : List.of(name);
            args = orEmpty(args);
            includes = includes == null ? Condition.NONE : includes;
            excludes = excludes == null ? Condition.NONE : excludes;
        }
    }

    record Condition(List<String> caps, List<String> arches, @Nullable String minKernel) {
        static final Condition NONE = new Condition(List.of(), List.of(), null);

        @JsonCreator
        Condition(
                @JsonProperty("caps") @Nullable List<String> caps,
                @JsonProperty("arches") @Nullable List<String> arches,
                @JsonProperty("minKernel") @Nullable String minKernel) {
            this.caps = orEmpty(caps);
            this.arches = orEmpty(arches);
            this.minKernel = minKernel;
        }
    }

    private static <T> List<T> orEmpty(@Nullable List<T> list) {
        return list == null ? List.of() : List.copyOf(list);
    }

    /**
     * @param where how messages call it: a field and a file name
     */
    static SeccompProfile parse(byte[] json, String where) {
        Document document;
        try {
            document = JSON.readValue(json, Document.class);
        } catch (IOException e) {
            throw PodException.invalid(where + " is not a seccomp profile: " + e.getMessage());
        }
        if (document == null || document.defaultAction == null) {
            throw PodException.invalid(where + " is not a seccomp profile: no defaultAction");
        }
        checkAction(document.defaultAction, where);
        for (Rule rule : document.syscalls) {
            if (rule.action == null || rule.names.isEmpty()) {
                throw PodException.invalid(
                        where + " is not a seccomp profile: a rule without names or action");
            }
            checkAction(rule.action, where);
            checkKernel(rule.includes, where);
            checkKernel(rule.excludes, where);
        }
        return new SeccompProfile(document);
    }

    private static void checkAction(String action, String where) {
        if (!isAction(action)) {
            throw PodException.invalid(
                    where + " is not a seccomp profile: unknown action '" + action + "'");
        }
    }

    private static void checkKernel(Condition condition, String where) {
        if (condition.minKernel != null) {
            try {
                KernelVersion.parse(condition.minKernel);
            } catch (IllegalArgumentException e) {
                throw PodException.invalid(
                        where + " is not a seccomp profile: minKernel: " + e.getMessage());
            }
        }
    }

    /**
     * The filter for one container.
     *
     * @param capabilities of its bounding set, as the specification calls them
     * @param architecture as Go calls it
     */
    LinuxSeccomp resolve(Set<String> capabilities, String architecture, KernelVersion kernel) {
        List<Syscall> rules = new ArrayList<>();
        // Two capabilities can allow the same call; libseccomp takes no rule twice.
        Map<Outcome, Set<String>> seen = new HashMap<>();
        for (Rule rule : document.syscalls) {
            if (!applies(rule, capabilities, architecture, kernel)) {
                continue;
            }
            String action = rule.action == null ? "" : rule.action; // checked when parsed
            List<String> names = rule.names;
            if (rule.args.isEmpty()) {
                Set<String> before =
                        seen.computeIfAbsent(
                                new Outcome(action, rule.errnoRet), key -> new HashSet<>());
                names = names.stream().filter(before::add).toList();
            }
            if (!names.isEmpty()) {
                rules.add(new Syscall(names, action, rule.errnoRet, rule.args));
            }
        }
        return new LinuxSeccomp(
                document.defaultAction == null ? "" : document.defaultAction,
                document.defaultErrnoRet,
                architectures(architecture),
                document.flags,
                document.listenerPath,
                document.listenerMetadata,
                rules);
    }

    private record Outcome(String action, @Nullable Integer errnoRet) {}

    private static boolean applies(
            Rule rule, Set<String> capabilities, String architecture, KernelVersion kernel) {
        Condition includes = rule.includes;
        Condition excludes = rule.excludes;
        return (includes.arches.isEmpty() || includes.arches.contains(architecture))
                && capabilities.containsAll(includes.caps)
                && (includes.minKernel == null || isAtLeast(kernel, includes.minKernel))
                && !excludes.arches.contains(architecture)
                && excludes.caps.stream().noneMatch(capabilities::contains)
                && (excludes.minKernel == null || !isAtLeast(kernel, excludes.minKernel));
    }

    private static boolean isAtLeast(KernelVersion kernel, String minimum) {
        return kernel.compareTo(KernelVersion.parse(minimum)) >= 0;
    }

    private List<String> architectures(String architecture) {
        List<String> result = new ArrayList<>(document.architectures);
        String own = libseccompName(architecture);
        for (Architecture entry : document.archMap) {
            if (own.equals(entry.architecture)) {
                result.add(own);
                result.addAll(entry.subArchitectures);
            }
        }
        return result;
    }

    private static String libseccompName(String architecture) {
        return switch (architecture) {
            case "amd64" -> "SCMP_ARCH_X86_64";
            case "arm64" -> "SCMP_ARCH_AARCH64";
            case "ppc64le" -> "SCMP_ARCH_PPC64LE";
            case "s390x" -> "SCMP_ARCH_S390X";
            case "riscv64" -> "SCMP_ARCH_RISCV64";
            case "loongarch64" -> "SCMP_ARCH_LOONGARCH64";
            default -> "";
        };
    }
}
