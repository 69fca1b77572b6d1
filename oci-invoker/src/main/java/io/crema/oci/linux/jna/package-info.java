/** The kernel through JNA direct mapping; nothing of JNA leaves this package. */
@NullMarked
package io.crema.oci.linux.jna;

import org.jspecify.annotations.NullMarked;
