/** ImageService, a class per call: the CRI's messages over the image module's front. */
@NullMarked
package io.crema.server.image;

import org.jspecify.annotations.NullMarked;
