/** Small images made from Debian's static busybox, without any registry. */
@NullMarked
package io.crema.e2e.image;

import org.jspecify.annotations.NullMarked;
