/** ttrpc against raw bytes, those of the official implementation among them. */
@NullMarked
package io.crema.runtime.ttrpc;

import org.jspecify.annotations.NullMarked;
