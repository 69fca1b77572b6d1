/** Tests of the layer pipeline, and the generator of honest and hostile archives. */
@NullMarked
package io.crema.image.layer;

import org.jspecify.annotations.NullMarked;
