/** What the build and the source must agree on. */
@NullMarked
package io.crema.server.base;

import org.jspecify.annotations.NullMarked;
