package io.crema.runtime.cgroup;

import io.crema.runtime.state.PodException;
import java.nio.file.Path;

/**
 * The place of a cgroup below the mount points of the hierarchies.
 *
 * @param value absolute and normal: /kubepods/pod1/crio-…
 */
public record CgroupPath(String value) {
    public CgroupPath {
        if (!value.startsWith("/") || value.indexOf('\0') >= 0) {
            throw PodException.invalid(
                    "a cgroup path must be absolute and free of NUL, not '" + value + "'");
        }
        for (String element : value.substring(1).split("/", -1)) {
            if (element.equals("..") || element.equals(".")) {
                throw PodException.invalid(
                        "a cgroup path must not hold '" + element + "': '" + value + "'");
            }
        }
        value = Path.of(value).normalize().toString();
    }

    /** A cgroup inside this one. */
    public CgroupPath child(String name) {
        return new CgroupPath(value.equals("/") ? "/" + name : value + "/" + name);
    }

    /** The directory of this cgroup in one hierarchy. */
    public Path below(Path mount) {
        return mount.resolve(value.substring(1));
    }

    public String lastElement() {
        return value.substring(value.lastIndexOf('/') + 1);
    }

    @Override
    public String toString() {
        return value;
    }
}
