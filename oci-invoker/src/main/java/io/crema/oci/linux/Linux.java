package io.crema.oci.linux;

/**
 * All of the kernel that this program calls directly; one JNA implementation, one recording fake.
 */
public interface Linux
        extends LinuxFiles,
                LinuxMounts,
                LinuxNamespaces,
                LinuxProcesses,
                LinuxPolling,
                LinuxSockets {}
