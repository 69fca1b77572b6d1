/**
 * The crema process: the command line, the daemon's wiring, what an operator is told about the
 * node. Below it {@code grpc} and {@code http} are the socket, {@code image} the ImageService,
 * {@code log} the log.
 */
@NullMarked
package io.crema.server;

import org.jspecify.annotations.NullMarked;
