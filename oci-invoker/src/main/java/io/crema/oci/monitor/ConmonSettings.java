package io.crema.oci.monitor;

import java.nio.file.Path;

/**
 * What is the same for all containers of a monitor.
 *
 * @param conmon absolute path of conmon 2.1 or later
 * @param exitsDirectory where each exit becomes a file with the container's id as its name
 * @param syncLog whether conmon forces the log to disk when a container ends, which delays the
 *     report of its exit
 */
public record ConmonSettings(Path conmon, Path exitsDirectory, boolean syncLog) {}
