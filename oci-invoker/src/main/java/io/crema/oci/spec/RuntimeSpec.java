package io.crema.oci.spec;

import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A container as an OCI runtime is to create it (runtime-spec, config.md). Empty lists, maps and
 * strings stand for absent fields.
 *
 * @param ociVersion the version of the specification that this follows
 */
public record RuntimeSpec(
        String ociVersion,
        ContainerProcess process,
        Root root,
        @Nullable String hostname,
        List<Mount> mounts,
        @Nullable Hooks hooks,
        Map<String, String> annotations,
        LinuxSpec linux) {
    /** What we write; every runtime that we support (runc 1.1, crun 1.8, youki 0.5) reads it. */
    public static final String VERSION = "1.0.2";

    /**
     * The root file system.
     *
     * @param path absolute, or relative to the bundle
     */
    public record Root(String path, boolean readonly) {}

    /**
     * One mount, done in the order of the list.
     *
     * @param type absent for a bind mount whose options say so
     * @param uidMappings for an idmapped mount
     */
    public record Mount(
            String destination,
            @Nullable String type,
            @Nullable String source,
            List<String> options,
            List<IdMapping> uidMappings,
            List<IdMapping> gidMappings) {
        public Mount {
            options = Lists.copy(options);
            uidMappings = Lists.copy(uidMappings);
            gidMappings = Lists.copy(gidMappings);
        }

        public static Mount of(
                String destination, String type, String source, List<String> options) {
            return new Mount(destination, type, source, options, List.of(), List.of());
        }

        /** A bind mount; {@code bind} or {@code rbind} must be among the options. */
        public static Mount bind(String destination, String source, List<String> options) {
            return of(destination, "bind", source, options);
        }
    }

    /** A range of user or group ids. */
    public record IdMapping(long containerID, long hostID, long size) {}

    /** Programs run at points of the life cycle. */
    public record Hooks(
            List<Hook> prestart,
            List<Hook> createRuntime,
            List<Hook> createContainer,
            List<Hook> startContainer,
            List<Hook> poststart,
            List<Hook> poststop) {
        public Hooks {
            prestart = Lists.copy(prestart);
            createRuntime = Lists.copy(createRuntime);
            createContainer = Lists.copy(createContainer);
            startContainer = Lists.copy(startContainer);
            poststart = Lists.copy(poststart);
            poststop = Lists.copy(poststop);
        }

        public static Hooks none() {
            return new Hooks(List.of(), List.of(), List.of(), List.of(), List.of(), List.of());
        }

        /** These, then others. */
        public Hooks plus(Hooks more) {
            return new Hooks(
                    Lists.join(prestart, more.prestart),
                    Lists.join(createRuntime, more.createRuntime),
                    Lists.join(createContainer, more.createContainer),
                    Lists.join(startContainer, more.startContainer),
                    Lists.join(poststart, more.poststart),
                    Lists.join(poststop, more.poststop));
        }
    }

    /**
     * One program.
     *
     * @param timeout seconds, absent for none
     */
    public record Hook(
            String path, List<String> args, List<String> env, @Nullable Integer timeout) {
        public Hook {
            args = Lists.copy(args);
            env = Lists.copy(env);
        }
    }

    public RuntimeSpec {
        Objects.requireNonNull(process, "process");
        Objects.requireNonNull(root, "root");
        Objects.requireNonNull(linux, "linux");
        mounts = Lists.copy(mounts);
        annotations = Sorted.copy(annotations);
    }

    /** The same with hooks after those that it has. */
    public RuntimeSpec withHooks(Hooks more) {
        Hooks all = hooks == null ? more : hooks.plus(more);
        return new RuntimeSpec(
                ociVersion,
                process,
                root,
                hostname,
                mounts,
                all.equals(Hooks.none()) ? null : all,
                annotations,
                linux);
    }
}
