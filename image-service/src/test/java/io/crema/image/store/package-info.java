/** Tests of the image store. */
@NullMarked
package io.crema.image.store;

import org.jspecify.annotations.NullMarked;
