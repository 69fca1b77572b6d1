/** Plugins of the node resource interface (NRI): what they are told and what they may change. */
@NullMarked
package io.crema.runtime.nri;

import org.jspecify.annotations.NullMarked;
