/** The few words that all parts of the server share. */
@NullMarked
package io.crema.server.base;

import org.jspecify.annotations.NullMarked;
