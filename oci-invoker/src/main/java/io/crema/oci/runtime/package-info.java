/** The OCI runtime command line (runc, crun, youki) through typed options. */
@NullMarked
package io.crema.oci.runtime;

import org.jspecify.annotations.NullMarked;
