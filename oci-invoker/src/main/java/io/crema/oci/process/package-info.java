/** Child processes: run a command to its end under a deadline with bounded output. */
@NullMarked
package io.crema.oci.process;

import org.jspecify.annotations.NullMarked;
