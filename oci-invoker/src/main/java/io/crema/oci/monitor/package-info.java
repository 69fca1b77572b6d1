/**
 * The monitor (conmon) that owns a container's stdio, log and exit code and outlives the daemon.
 */
@NullMarked
package io.crema.oci.monitor;

import org.jspecify.annotations.NullMarked;
