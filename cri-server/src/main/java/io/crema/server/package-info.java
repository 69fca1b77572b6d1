/**
 * The crema process. This package holds the few words its parts share; {@code command} is the
 * command line, {@code daemon} the wiring, {@code grpc} and {@code http} the socket, {@code image}
 * the ImageService, {@code check} what an operator is told about the node, {@code log} the log.
 */
@NullMarked
package io.crema.server;

import org.jspecify.annotations.NullMarked;
