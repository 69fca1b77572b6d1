/** The socket, in process over a temporary path. */
@NullMarked
package io.crema.server.grpc;

import org.jspecify.annotations.NullMarked;
