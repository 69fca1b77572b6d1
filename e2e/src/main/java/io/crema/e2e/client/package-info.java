/** A CRI client over a unix socket, for tests, benchmarks and the demonstration. */
@NullMarked
package io.crema.e2e.client;

import org.jspecify.annotations.NullMarked;
