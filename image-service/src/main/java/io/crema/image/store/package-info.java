/**
 * The image store: layers, manifests and records on disk, what refers to what, and the one way in
 * which an image becomes visible.
 */
@NullMarked
package io.crema.image.store;

import org.jspecify.annotations.NullMarked;
