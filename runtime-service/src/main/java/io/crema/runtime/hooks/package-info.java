/** OCI hooks that packages put into directories (oci-hooks(5)). */
@NullMarked
package io.crema.runtime.hooks;

import org.jspecify.annotations.NullMarked;
