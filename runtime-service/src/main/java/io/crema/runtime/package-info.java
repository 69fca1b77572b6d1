/** Pod sandbox and container life cycles: one class per CRI call, state, recovery. */
@NullMarked
package io.crema.runtime;

import org.jspecify.annotations.NullMarked;
