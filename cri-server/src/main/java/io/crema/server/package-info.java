/** The crema process: command line, wiring, gRPC, the one error mapper. */
@NullMarked
package io.crema.server;

import org.jspecify.annotations.NullMarked;
