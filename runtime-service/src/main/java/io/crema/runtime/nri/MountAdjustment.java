package io.crema.runtime.nri;

import io.crema.base.Deadline;
import io.crema.cri.v1.MountPropagation;
import io.crema.nri.v1alpha1.Field;
import io.crema.nri.v1alpha1.Mount;
import io.crema.oci.linux.Linux;
import io.crema.oci.runtime.RuntimeFeatures;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.runtime.selinux.Relabelling;
import io.crema.runtime.spec.Handler;
import io.crema.runtime.spec.PropagationCheck;
import io.crema.runtime.state.PodException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What plugins change of the mounts of a container, in its specification and in its status. */
final class MountAdjustment {
    private static final String REMOVED = "-";

    /** Not one of mount(2): asks for the SELinux label of the container. */
    private static final String RELABEL = "relabel";

    private final SpecDraft draft;
    private final Refusals refusals;
    private final Linux linux;
    private final RuntimeFeatures features;
    private final PropagationCheck propagation;
    private final Deadline deadline;
    private final Set<String> touched = new HashSet<>();
    private final List<io.crema.cri.v1.Mount> added = new ArrayList<>();

    MountAdjustment(
            SpecDraft draft, Refusals refusals, Linux linux, Handler handler, Deadline deadline) {
        this.draft = draft;
        this.refusals = refusals;
        this.linux = linux;
        this.features = handler.features();
        this.deadline = deadline;
        this.propagation = new PropagationCheck(linux);
    }

    void apply(List<Mount> wanted) {
        if (wanted.isEmpty()) {
            return;
        }
        for (Mount mount : wanted) {
            String given = mount.getDestination();
            boolean isRemoval = given.startsWith(REMOVED);
            String place = place(isRemoval ? given.substring(REMOVED.length()) : given);
            touched.add(place);
            draft.mounts.removeIf(present -> normal(present.destination()).equals(place));
            if (!isRemoval) {
                add(place, mount);
            }
        }
        // Outer places first, else in their order.
        draft.mounts.sort(
                Comparator.comparingInt(mount -> Path.of(mount.destination()).getNameCount()));
    }

    private String place(String destination) {
        if (!destination.startsWith("/") || destination.indexOf('\0') >= 0) {
            throw refusals.of(
                    Field.Mounts, destination.replace('\0', '?'), "the place is not absolute");
        }
        String place = normal(destination);
        if (place.equals("/")) {
            throw refusals.of(Field.Mounts, destination, "that is the image's place");
        }
        return place;
    }

    private static String normal(String path) {
        return Path.of(path).normalize().toString();
    }

    private void add(String place, Mount wanted) {
        List<String> options = new ArrayList<>(wanted.getOptionsList());
        boolean relabels = options.removeIf(RELABEL::equals);
        boolean isBind =
                wanted.getType().equals("bind")
                        || options.contains("bind")
                        || options.contains("rbind");
        if (!isBind && wanted.getType().isEmpty()) {
            throw refusals.of(
                    Field.Mounts,
                    wanted.getDestination(),
                    "it needs a type, or one of the options bind and rbind");
        }
        if (isBind) {
            checkBind(wanted, options);
            if (!options.contains("bind") && !options.contains("rbind")) {
                options.add("rbind");
            }
        }
        @Nullable String mode = propagation(wanted, options);
        if (relabels && isBind && !draft.fileLabel().isEmpty()) {
            relabel(wanted);
        }
        draft.mounts.add(
                RuntimeSpec.Mount.of(
                        place,
                        wanted.getType().isEmpty() ? "bind" : wanted.getType(),
                        wanted.getSource().isEmpty() ? wanted.getType() : wanted.getSource(),
                        options));
        if (isBind) {
            added.add(status(place, wanted, options, mode, relabels));
        }
    }

    private void checkBind(Mount wanted, List<String> options) {
        String source = wanted.getSource();
        if (!source.startsWith("/")
                || source.indexOf('\0') >= 0
                || linux.status(Path.of(source), true).isEmpty()) {
            throw refusals.of(
                    Field.Mounts,
                    wanted.getDestination(),
                    "there is no '" + source.replace('\0', '?') + "' on this node to be mounted");
        }
        // The kernel passes over what it does not know of a bind mount.
        for (String option : options) {
            boolean shiftsIds = option.equals("idmap") || option.equals("ridmap");
            if (shiftsIds
                    ? !features.idMappedMounts()
                    : features.known() && !features.mountOptions().contains(option)) {
                throw refusals.of(
                        Field.Mounts,
                        wanted.getDestination(),
                        "the OCI runtime does not know the option " + option);
            }
        }
    }

    /** As for mounts of a request: what it mounts must be able to do what is asked of it. */
    private @Nullable String propagation(Mount wanted, List<String> options) {
        String mode = null;
        for (String option : options) {
            mode =
                    switch (option) {
                        case "private", "rprivate" -> "private";
                        case "slave", "rslave" -> "slave";
                        case "shared", "rshared" -> "shared";
                        default -> mode;
                    };
        }
        if (mode == null || mode.equals("private")) {
            return mode;
        }
        Path source = Path.of(wanted.getSource());
        try {
            if (mode.equals("shared")) {
                propagation.requireShared("options", source);
                draft.rootPropagation = "rshared";
            } else {
                propagation.requireSharedOrSlave("options", source);
                if (!"rshared".equals(draft.rootPropagation)) {
                    draft.rootPropagation = "rslave";
                }
            }
        } catch (PodException e) {
            throw refusals.of(
                    Field.Mounts, wanted.getDestination(), String.valueOf(e.getMessage()));
        }
        return mode;
    }

    private void relabel(Mount wanted) {
        try {
            new Relabelling(linux, deadline)
                    .volume("options", Path.of(wanted.getSource()), draft.fileLabel(), false);
        } catch (PodException e) {
            throw refusals.of(
                    Field.Mounts, wanted.getDestination(), String.valueOf(e.getMessage()));
        }
    }

    private static io.crema.cri.v1.Mount status(
            String place,
            Mount wanted,
            List<String> options,
            @Nullable String mode,
            boolean relabels) {
        boolean isReadOnly = false;
        boolean isRecursive = false;
        for (String option : options) {
            switch (option) {
                case "ro" -> isReadOnly = true;
                case "rw" -> isReadOnly = false;
                case "rro" -> {
                    isReadOnly = true;
                    isRecursive = true;
                }
                default -> {}
            }
        }
        return io.crema.cri.v1.Mount.newBuilder()
                .setContainerPath(place)
                .setHostPath(wanted.getSource())
                .setReadonly(isReadOnly)
                .setRecursiveReadOnly(isRecursive)
                .setSelinuxRelabel(relabels)
                .setPropagation(
                        "shared".equals(mode)
                                ? MountPropagation.PROPAGATION_BIDIRECTIONAL
                                : "slave".equals(mode)
                                        ? MountPropagation.PROPAGATION_HOST_TO_CONTAINER
                                        : MountPropagation.PROPAGATION_PRIVATE)
                .build();
    }

    /** Those of the status, without what is gone and with what was bound. */
    List<io.crema.cri.v1.Mount> status(List<io.crema.cri.v1.Mount> before) {
        List<io.crema.cri.v1.Mount> mounts = new ArrayList<>(before);
        mounts.removeIf(mount -> touched.contains(normal(mount.getContainerPath())));
        mounts.addAll(added);
        return mounts;
    }
}
