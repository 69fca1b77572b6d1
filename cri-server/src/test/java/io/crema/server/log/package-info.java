/** The log's lines. */
@NullMarked
package io.crema.server.log;

import org.jspecify.annotations.NullMarked;
