package io.crema.runtime.selinux;

import io.crema.base.Deadline;
import io.crema.base.DeadlineExceededException;
import io.crema.base.DurableFile;
import io.crema.base.ErrorKind;
import io.crema.base.PodSandboxId;
import io.crema.conf.SecurityConfiguration;
import io.crema.cri.v1.LinuxContainerSecurityContext;
import io.crema.cri.v1.LinuxSandboxSecurityContext;
import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.NamespaceOption;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.SELinuxOption;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles;
import io.crema.runtime.state.Layout;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.SecureRandom;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import java.util.random.RandomGenerator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Chooses the labels of pods and containers from the node's policy. Each pod has a pair of
 * categories of its own, which keeps it from the files of others; it is written down beside the
 * pod's record, and free again when that is gone.
 */
public final class SelinuxLabels {
    private static final Logger LOG = LoggerFactory.getLogger(SelinuxLabels.class);
    private static final String PROCESS = "system_u:system_r:container_t:s0";
    private static final String STORED = "system_u:object_r:container_ro_file_t:s0";
    private static final String FILE = "system_u:object_r:container_file_t:s0";

    /** What privileged containers are: free, and with all categories. */
    private static final String FREE_TYPE = "spc_t";

    private static final String ALL_LEVELS = "s0-s0:c0.c1023";
    private static final String INIT_TYPE = "container_init_t";
    private static final String VOLUMES = "/" + Layout.ANONYMOUS_VOLUMES;
    private static final int CATEGORIES = 1024;
    private static final int ATTEMPTS = 10_000;

    private final Path root;
    private final Layout layout;
    private final boolean enabled;
    private final boolean freesHostNetwork;
    private final Label process;
    private final Label file;
    private final String stored;
    private final RandomGenerator random;
    private final Map<Path, String> taken = new HashMap<>(); // guarded by this

    private SelinuxLabels(
            Path root,
            Layout layout,
            boolean enabled,
            boolean freesHostNetwork,
            Label process,
            Label file,
            String stored,
            RandomGenerator random) {
        this.root = root;
        this.layout = layout;
        this.enabled = enabled;
        this.freesHostNetwork = freesHostNetwork;
        this.process = process;
        this.file = file;
        this.stored = stored;
        this.random = random;
    }

    /** Labels nothing. */
    public static SelinuxLabels none(Layout layout) {
        return new SelinuxLabels(
                Path.of("/"),
                layout,
                false,
                true,
                Label.parse(PROCESS),
                Label.parse(FILE),
                STORED,
                new SecureRandom());
    }

    /**
     * @param root / but in tests
     * @param hasSelinux whether the kernel has it
     * @throws PodException FAILED_PRECONDITION when it is configured and the kernel has none
     */
    public static SelinuxLabels of(
            Path root, Layout layout, SecurityConfiguration configuration, boolean hasSelinux) {
        return of(root, layout, configuration, hasSelinux, new SecureRandom());
    }

    static SelinuxLabels of(
            Path root,
            Layout layout,
            SecurityConfiguration configuration,
            boolean hasSelinux,
            RandomGenerator random) {
        if (!configuration.selinux()) {
            return none(layout);
        }
        if (!hasSelinux) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    "selinux is true in [crio.runtime], but this kernel runs without SELinux, so"
                            + " containers would not be confined; boot with security=selinux"
                            + " selinux=1 and a policy, or set it to false");
        }
        Map<String, String> contexts = contexts(root);
        SelinuxLabels labels =
                new SelinuxLabels(
                        root,
                        layout,
                        true,
                        configuration.hostNetworkDisablesSelinux(),
                        Label.parse(contexts.getOrDefault("process", PROCESS)),
                        Label.parse(contexts.getOrDefault("file", FILE)),
                        contexts.getOrDefault("ro_file", STORED),
                        random);
        labels.readTaken();
        return labels;
    }

    /** The policy's own names for containers (lxc_contexts(5)). */
    private static Map<String, String> contexts(Path root) {
        String policy = values(root.resolve("etc/selinux/config")).getOrDefault("SELINUXTYPE", "");
        return values(
                root.resolve("etc/selinux")
                        .resolve(policy.isEmpty() ? "targeted" : policy)
                        .resolve("contexts/lxc_contexts"));
    }

    private static Map<String, String> values(Path file) {
        Map<String, String> values = new HashMap<>();
        try {
            for (String line : Files.readAllLines(file)) {
                int equals = line.indexOf('=');
                if (equals > 0 && !line.startsWith("#")) {
                    values.put(
                            line.substring(0, equals).strip(),
                            line.substring(equals + 1).strip().replace("\"", ""));
                }
            }
        } catch (NoSuchFileException e) {
            return values;
        } catch (IOException e) {
            throw new PodException(ErrorKind.INTERNAL, "cannot read " + file + ": " + e, e);
        }
        return values;
    }

    private synchronized void readTaken() {
        if (!Files.isDirectory(layout.sandboxes())) {
            return;
        }
        try (var pods = Files.newDirectoryStream(layout.sandboxes())) {
            for (Path pod : pods) {
                Path level = pod.resolve(Layout.SELINUX_LEVEL);
                writtenLevel(level).ifPresent(text -> taken.put(level, text));
            }
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL, "cannot read the levels of the pods: " + e, e);
        }
    }

    /**
     * Labels what root file systems are made of: a mount's label is asked where a program is
     * opened, the file's own one where its memory is mapped. What is made inside later inherits it.
     *
     * <p>When the time is over, the rest keeps its labels and the next start begins anew: a node
     * that comes up late, or never, would be worse.
     *
     * @param directories some of which may not be there yet
     */
    public void labelStore(LinuxFiles files, List<Path> directories, Deadline deadline) {
        if (!enabled) {
            return;
        }
        if (!isKnown(stored)) {
            LOG.warn(
                    "the policy of this node does not know {} (ro_file in its lxc_contexts):"
                            + " containers may be denied to map their programs; install"
                            + " container-selinux, or label {} yourself",
                    stored,
                    directories);
            return;
        }
        for (Path directory : directories) {
            try {
                new Relabelling(files, deadline)
                        .tree(directory.toRealPath(), stored, true, keptIn(directory));
            } catch (DeadlineExceededException e) {
                LOG.warn(
                        "{}: containers may be denied to map their programs until a later start"
                                + " of the daemon, which begins anew, comes to the end",
                        e.getMessage());
            } catch (NoSuchFileException e) {
                LOG.debug("{} is not there to be labelled", directory);
            } catch (IOException | LinuxException e) {
                throw new PodException(
                        ErrorKind.INTERNAL,
                        "cannot label " + directory + " with " + stored + ": " + e,
                        e);
            }
        }
    }

    /** What containers write has the labels of their pods. */
    private Predicate<String> keptIn(Path directory) {
        return directory.equals(layout.containers()) ? SelinuxLabels::isVolumes : path -> false;
    }

    /** Of {@code <container>/volumes}, and of nothing deeper. */
    private static boolean isVolumes(String path) {
        return path.endsWith(VOLUMES) && path.indexOf('/') == path.length() - VOLUMES.length();
    }

    public boolean isEnabled() {
        return enabled;
    }

    /** Of a pod's own process, and of the files that its containers share. */
    public Labels ofPod(PodSandboxId id, PodSandboxConfig config) {
        if (!enabled) {
            return Labels.NONE;
        }
        LinuxSandboxSecurityContext security = config.getLinux().getSecurityContext();
        Label label = podLabel(id, security);
        return labels(
                label,
                security.getSelinuxOptions(),
                security.getPrivileged(),
                security.getNamespaceOptions(),
                "linux.security_context.selinux_options");
    }

    private Label podLabel(PodSandboxId id, LinuxSandboxSecurityContext security) {
        SELinuxOption options = security.getSelinuxOptions();
        Label own = process.with(options, "linux.security_context.selinux_options");
        return own.withLevel(
                levelOf(
                        id,
                        options.getLevel().isEmpty()
                                ? Optional.empty()
                                : Optional.of(own.level())));
    }

    /**
     * @param isSystemd whether the container's command is an init system
     */
    public Labels ofContainer(
            PodSandboxId id,
            PodSandboxConfig pod,
            LinuxContainerSecurityContext security,
            boolean isSystemd) {
        if (!enabled) {
            return Labels.NONE;
        }
        SELinuxOption options = security.getSelinuxOptions();
        Label label = podLabel(id, pod.getLinux().getSecurityContext());
        if (isSystemd
                && options.getType().isEmpty()
                && isKnown(label.withType(INIT_TYPE).toString())) {
            label = label.withType(INIT_TYPE);
        }
        NamespaceOption namespaces =
                security.hasNamespaceOptions()
                        ? security.getNamespaceOptions()
                        : pod.getLinux().getSecurityContext().getNamespaceOptions();
        return labels(
                label.with(options, "linux.security_context.selinux_options"),
                options,
                security.getPrivileged(),
                namespaces,
                "linux.security_context.selinux_options");
    }

    private Labels labels(
            Label label,
            SELinuxOption options,
            boolean isPrivileged,
            NamespaceOption namespaces,
            String field) {
        String files = file.withLevel(categories(label.level())).toString();
        boolean isFree =
                isPrivileged
                        || namespaces.getPid() == NamespaceMode.NODE
                        || namespaces.getIpc() == NamespaceMode.NODE
                        || (freesHostNetwork && namespaces.getNetwork() == NamespaceMode.NODE);
        if (isFree && options.getType().isEmpty()) {
            Label free = label.withType(FREE_TYPE).withLevel(ALL_LEVELS);
            return new Labels(Optional.of(free.toString()).filter(this::isKnown), files);
        }
        String chosen = label.toString();
        if (!isKnown(chosen)) {
            throw PodException.invalid(
                    field
                            + ": the policy of this node does not know "
                            + chosen
                            + "; correct the options, or install container-selinux or the policy"
                            + " that has it");
        }
        return new Labels(Optional.of(chosen), files);
    }

    /** Files have one level; of a range it is the lower one's sensitivity with its categories. */
    private static String categories(String level) {
        int dash = level.indexOf('-');
        return dash < 0 ? level : level.substring(0, dash);
    }

    /** Asks the kernel, which looks the context up in the policy it has loaded. */
    private boolean isKnown(String context) {
        Path check = root.resolve("sys/fs/selinux/context");
        try (FileChannel kernel = FileChannel.open(check, StandardOpenOption.WRITE)) {
            kernel.write(ByteBuffer.wrap((context + "\0").getBytes(StandardCharsets.UTF_8)));
            return true;
        } catch (IOException e) {
            return false;
        }
    }

    /**
     * The pod's own pair of categories, or what was asked for, which no other pod is given by us.
     */
    private synchronized String levelOf(PodSandboxId id, Optional<String> wanted) {
        Path file = layout.sandbox(id).resolve(Layout.SELINUX_LEVEL);
        try {
            Optional<String> written = writtenLevel(file);
            if (written.isPresent()) {
                return wanted.orElse(written.get());
            }
            taken.keySet().removeIf(Files::notExists);
            String level = wanted.orElseGet(() -> freeLevel(taken.values()));
            DurableFile.write(file, (level + "\n").getBytes(StandardCharsets.UTF_8));
            taken.put(file, level);
            return level;
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL, "cannot write down the SELinux level: " + e, e);
        }
    }

    /** Nothing in it is as good as none. */
    private static Optional<String> writtenLevel(Path file) throws IOException {
        try {
            return Optional.of(Files.readString(file).strip()).filter(text -> !text.isEmpty());
        } catch (NoSuchFileException e) {
            return Optional.empty();
        }
    }

    private String freeLevel(Collection<String> inUse) {
        Set<String> used = new HashSet<>(inUse);
        for (int i = 0; i < ATTEMPTS; i++) {
            int one = random.nextInt(CATEGORIES);
            int other = random.nextInt(CATEGORIES);
            String level = "s0:c" + Math.min(one, other) + ",c" + Math.max(one, other);
            if (one != other && !used.contains(level)) {
                return level;
            }
        }
        throw new PodException(
                ErrorKind.RESOURCE_EXHAUSTED, "no pair of SELinux categories is free; remove pods");
    }
}
