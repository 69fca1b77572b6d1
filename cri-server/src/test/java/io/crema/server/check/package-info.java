/** The node check on directories that pose as machines. */
@NullMarked
package io.crema.server.check;

import org.jspecify.annotations.NullMarked;
