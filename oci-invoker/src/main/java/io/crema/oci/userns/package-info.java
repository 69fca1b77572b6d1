/** User namespaces and what lives inside them. */
@NullMarked
package io.crema.oci.userns;

import org.jspecify.annotations.NullMarked;
