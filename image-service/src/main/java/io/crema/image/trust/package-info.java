/** Signatures of images: what policy.json asks for and whether it is there. */
@NullMarked
package io.crema.image.trust;

import org.jspecify.annotations.NullMarked;
