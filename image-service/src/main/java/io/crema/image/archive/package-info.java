/** Images in files: OCI layouts as a directory or a tar archive, and what docker save writes. */
@NullMarked
package io.crema.image.archive;

import org.jspecify.annotations.NullMarked;
