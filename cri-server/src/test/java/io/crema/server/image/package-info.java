/** ImageService over an image store in memory. */
@NullMarked
package io.crema.server.image;

import org.jspecify.annotations.NullMarked;
