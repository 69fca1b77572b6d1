/** Names of images: the grammar, its normal form, and short names. */
@NullMarked
package io.crema.image.reference;

import org.jspecify.annotations.NullMarked;
