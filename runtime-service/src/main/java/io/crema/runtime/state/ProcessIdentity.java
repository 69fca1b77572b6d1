package io.crema.runtime.state;

/**
 * A process that may have ended and whose number may have been given to another since.
 *
 * @param startTicks field 22 of /proc/pid/stat, which tells the two apart
 */
public record ProcessIdentity(int pid, long startTicks) {}
