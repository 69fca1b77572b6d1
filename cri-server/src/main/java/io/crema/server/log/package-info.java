/** The daemon's own log: an SLF4J backend that writes key=value lines to standard error. */
@NullMarked
package io.crema.server.log;

import org.jspecify.annotations.NullMarked;
