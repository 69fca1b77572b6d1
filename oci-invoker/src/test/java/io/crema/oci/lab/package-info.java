/**
 * What tests of this and other modules need to run containers without a daemon: bundles around
 * Debian's static busybox, and runtimes and monitors that fail as told.
 */
@NullMarked
package io.crema.oci.lab;

import org.jspecify.annotations.NullMarked;
