@NullMarked
package io.crema.image.trust;

import org.jspecify.annotations.NullMarked;
