/** Images: references, registries, the layer pipeline, the store, and root file systems. */
@NullMarked
package io.crema.image;

import org.jspecify.annotations.NullMarked;
