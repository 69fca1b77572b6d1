package io.crema.oci.spec;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A process in a container: its first one, or one that exec adds (runtime-spec, config.md:
 * process).
 *
 * @param env NAME=value
 * @param cwd absolute
 * @param oomScoreAdj absent to inherit the OCI runtime's own
 * @param scheduler absent, as the priority, for the node's default (version 1.1 of the
 *     specification)
 */
public record ContainerProcess(
        boolean terminal,
        User user,
        List<String> args,
        List<String> env,
        String cwd,
        Capabilities capabilities,
        List<Rlimit> rlimits,
        boolean noNewPrivileges,
        @Nullable Integer oomScoreAdj,
        @Nullable String apparmorProfile,
        @Nullable String selinuxLabel,
        @Nullable Scheduler scheduler,
        @Nullable IoPriority ioPriority) {
    /**
     * How it shares processors with others (sched_setattr(2)).
     *
     * @param policy such as SCHED_FIFO
     * @param flags such as SCHED_FLAG_RESET_ON_FORK
     * @param runtime nanoseconds, as the two after it; for SCHED_DEADLINE
     */
    public record Scheduler(
            String policy,
            @Nullable Integer nice,
            @Nullable Integer priority,
            List<String> flags,
            @Nullable UnsignedLong runtime,
            @Nullable UnsignedLong deadline,
            @Nullable UnsignedLong period) {
        public Scheduler {
            flags = Lists.copy(flags);
        }
    }

    /**
     * How it shares disks with others (ioprio_set(2)).
     *
     * @param ioClass such as IOPRIO_CLASS_BE
     * @param priority 0 to 7, the highest first
     */
    public record IoPriority(@JsonProperty("class") String ioClass, int priority) {}

    /** Without what only few processes have. */
    public ContainerProcess(
            boolean terminal,
            User user,
            List<String> args,
            List<String> env,
            String cwd,
            Capabilities capabilities,
            List<Rlimit> rlimits,
            boolean noNewPrivileges,
            @Nullable Integer oomScoreAdj,
            @Nullable String apparmorProfile,
            @Nullable String selinuxLabel) {
        this(
                terminal,
                user,
                args,
                env,
                cwd,
                capabilities,
                rlimits,
                noNewPrivileges,
                oomScoreAdj,
                apparmorProfile,
                selinuxLabel,
                null,
                null);
    }

    /**
     * Who it runs as, in ids of the container.
     *
     * @param umask absent for 0022
     */
    public record User(long uid, long gid, @Nullable Integer umask, List<Long> additionalGids) {
        public User {
            additionalGids = Lists.copy(additionalGids);
        }
    }

    /** The five sets of capabilities(7), as names with CAP_. */
    public record Capabilities(
            List<String> bounding,
            List<String> effective,
            List<String> inheritable,
            List<String> permitted,
            List<String> ambient) {
        public Capabilities {
            bounding = Lists.copy(bounding);
            effective = Lists.copy(effective);
            inheritable = Lists.copy(inheritable);
            permitted = Lists.copy(permitted);
            ambient = Lists.copy(ambient);
        }

        public static Capabilities none() {
            return new Capabilities(List.of(), List.of(), List.of(), List.of(), List.of());
        }
    }

    /**
     * A resource limit.
     *
     * @param type such as RLIMIT_NOFILE
     */
    public record Rlimit(String type, UnsignedLong hard, UnsignedLong soft) {}

    public ContainerProcess {
        capabilities = capabilities == null ? Capabilities.none() : capabilities;
        args = Lists.copy(args);
        env = Lists.copy(env);
        rlimits = Lists.copy(rlimits);
    }
}
