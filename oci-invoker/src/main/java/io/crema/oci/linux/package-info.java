/** The Linux kernel in its own words: typed calls, failures with call, errno and arguments. */
@NullMarked
package io.crema.oci.linux;

import org.jspecify.annotations.NullMarked;
