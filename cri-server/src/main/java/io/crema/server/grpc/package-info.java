/** The CRI on its unix socket: gRPC, the one error mapper, deadlines, the request log. */
@NullMarked
package io.crema.server.grpc;

import org.jspecify.annotations.NullMarked;
