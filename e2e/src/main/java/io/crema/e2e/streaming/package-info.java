/**
 * A client of streaming servers, ours or a peer's: the wire formats by hand, so that a mistake of
 * the server's library is not repeated here.
 */
@NullMarked
package io.crema.e2e.streaming;

import org.jspecify.annotations.NullMarked;
