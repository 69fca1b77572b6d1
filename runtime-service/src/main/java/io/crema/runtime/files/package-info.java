/** Directories of small configuration files that change while the daemon runs. */
@NullMarked
package io.crema.runtime.files;

import org.jspecify.annotations.NullMarked;
