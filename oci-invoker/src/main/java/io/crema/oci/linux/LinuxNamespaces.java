package io.crema.oci.linux;

import java.nio.file.Path;
import java.util.Map;
import java.util.Set;

/**
 * Namespaces. Because a thread that changed its namespaces can never be trusted again, every call
 * runs on a platform thread of its own that ends with it.
 */
public interface LinuxNamespaces {
    /** The kinds of namespaces(7) with their file names below /proc/self/ns. */
    enum NamespaceKind {
        NETWORK("net"),
        IPC("ipc"),
        UTS("uts"),
        PID("pid"),
        MOUNT("mnt"),
        USER("user"),
        CGROUP("cgroup");

        private final String fileName;

        NamespaceKind(String fileName) {
            this.fileName = fileName;
        }

        public String fileName() {
            return fileName;
        }
    }

    /** Work to do inside namespaces. */
    @FunctionalInterface
    interface InNamespace<T> {
        T run() throws Exception;
    }

    /**
     * Makes new namespaces (NETWORK, IPC, UTS) and pins each by a bind mount on the given path,
     * which is created as an empty file. Inside them, before pinning: lo is brought up when there
     * is a new network namespace, the host name is set when there is a new UTS namespace and one is
     * given, and each sysctl is written below /proc/sys. On failure nothing stays pinned.
     *
     * @param hostname empty for the host's own
     * @param sysctls by dotted name; a name that belongs to none of the new namespaces is refused
     *     with EPERM
     */
    void createAndPin(Map<NamespaceKind, Path> pins, String hostname, Map<String, String> sysctls);

    /**
     * Pins the namespaces of a process, whose paths are made as empty files. On failure nothing
     * stays pinned.
     */
    void pin(int process, Map<NamespaceKind, Path> pins);

    /**
     * Brings lo up in a pinned network namespace, and sets the host name in a pinned UTS namespace;
     * other kinds are passed over.
     *
     * @param hostname empty to leave it
     */
    void setUp(Map<NamespaceKind, Path> pins, String hostname);

    /** Unmounts and deletes the pins; those that are gone already are passed over. */
    void unpin(Set<Path> pins);

    /**
     * Runs work inside the namespaces at the given paths (not USER), on its own platform thread.
     * The work must be system calls and file accesses only: a thread it starts, directly or by
     * waking a virtual thread (completing a future, releasing a lock, logging), would stay inside
     * the namespaces.
     */
    <T> T inNamespaces(Map<NamespaceKind, Path> namespaces, InNamespace<T> work);
}
