/** The generated protocol against the specification's table. */
@NullMarked
package io.crema.cri.v1;

import org.jspecify.annotations.NullMarked;
