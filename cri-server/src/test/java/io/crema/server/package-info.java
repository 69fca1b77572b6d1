/** The layering of all modules, the commands, the lock of the root directory. */
@NullMarked
package io.crema.server;

import org.jspecify.annotations.NullMarked;
