/**
 * One layer, one pass: compressed bytes in, verified files out. Everything read here is hostile
 * until both digests match.
 */
@NullMarked
package io.crema.image.layer;

import org.jspecify.annotations.NullMarked;
