package io.crema.runtime.cgroup;

import io.crema.conf.RuntimeConfiguration.CgroupManager;
import io.crema.runtime.state.PodException;

/**
 * Where the cgroups of pods and containers lie and what they are called, for both drivers. The
 * names are those of CRI-O because cAdvisor, inside kubelet, knows them: it takes the last element
 * of a path for a container when that starts with {@code crio} and holds a 64 digit id.
 */
public final class CgroupPlacement {
    private static final String PREFIX = "crio";
    private static final String MONITOR_PREFIX = "crio-conmon";
    private static final String DEFAULT_PARENT = "/crema";
    private static final String DEFAULT_SLICE = "system.slice";

    private final CgroupManager driver;

    public CgroupPlacement(CgroupManager driver) {
        this.driver = driver;
    }

    public CgroupManager driver() {
        return driver;
    }

    /**
     * What a sandbox's {@code linux.cgroup_parent} means: with cgroupfs an absolute path, with
     * systemd the name of a slice. Kubelet always sends a whole path, whose last element is the
     * slice when the driver is systemd.
     *
     * @param requested empty for the default
     */
    public String parent(String requested) {
        return switch (driver) {
            case CGROUPFS -> cgroupfsParent(requested);
            case SYSTEMD -> slice(requested);
        };
    }

    private static String cgroupfsParent(String requested) {
        if (requested.isEmpty()) {
            return DEFAULT_PARENT;
        }
        if (!requested.startsWith("/")) {
            throw PodException.invalid(
                    "linux.cgroup_parent must be an absolute path with the cgroupfs driver, not '"
                            + requested
                            + "'; is kubelet set to the systemd driver?");
        }
        return new CgroupPath(requested).value();
    }

    private static String slice(String requested) {
        if (requested.isEmpty()) {
            return DEFAULT_SLICE;
        }
        String name = requested.substring(requested.lastIndexOf('/') + 1);
        if (!name.endsWith(".slice")) {
            throw PodException.invalid(
                    "linux.cgroup_parent must end in the name of a slice with the systemd driver,"
                            + " not '"
                            + requested
                            + "'; is kubelet set to the cgroupfs driver?");
        }
        sliceDirectory(name); // its name must be well formed
        return name;
    }

    /** The {@code cgroupsPath} of the OCI specification for a container or a pod's init process. */
    public String specPath(String parent, String id) {
        return switch (driver) {
            case CGROUPFS -> new CgroupPath(parent).child(PREFIX + "-" + id).value();
            case SYSTEMD -> parent + ":" + PREFIX + ":" + id;
        };
    }

    /** Where the cgroup named by {@link #specPath} lies below the mount points. */
    public CgroupPath directory(String parent, String id) {
        return switch (driver) {
            case CGROUPFS -> new CgroupPath(parent).child(PREFIX + "-" + id);
            case SYSTEMD -> sliceDirectory(parent).child(PREFIX + "-" + id + ".scope");
        };
    }

    /** The cgroup that kubelet made for the pod. */
    public CgroupPath parentDirectory(String parent) {
        return switch (driver) {
            case CGROUPFS -> new CgroupPath(parent);
            case SYSTEMD -> sliceDirectory(parent);
        };
    }

    /**
     * Where a container's monitor lives: a cgroupfs path, or the name of a scope with systemd.
     * cAdvisor passes over these names.
     */
    public String monitor(String parent, String id) {
        return switch (driver) {
            case CGROUPFS -> new CgroupPath(parent).child(MONITOR_PREFIX + "-" + id).value();
            case SYSTEMD -> MONITOR_PREFIX + "-" + id + ".scope";
        };
    }

    /**
     * The directory of a slice: a dash in its name means that it lies inside another
     * (systemd.slice(5)), so {@code a-b.slice} is {@code /a.slice/a-b.slice}.
     */
    static CgroupPath sliceDirectory(String name) {
        String stem = name.substring(0, name.length() - ".slice".length());
        CgroupPath directory = new CgroupPath("/");
        if (stem.equals("-")) {
            return directory;
        }
        if (stem.isEmpty() || stem.startsWith("-") || stem.endsWith("-") || stem.contains("--")) {
            throw PodException.invalid("'" + name + "' is not the name of a slice");
        }
        int dash = stem.indexOf('-');
        while (dash >= 0) {
            directory = directory.child(stem.substring(0, dash) + ".slice");
            dash = stem.indexOf('-', dash + 1);
        }
        return directory.child(name);
    }
}
