/** From CRI messages to the OCI runtime specification, and what the node allows of it. */
@NullMarked
package io.crema.runtime.spec;

import org.jspecify.annotations.NullMarked;
