/** The OCI runtime specification's config.json as records, and its JSON. */
@NullMarked
package io.crema.oci.spec;

import org.jspecify.annotations.NullMarked;
