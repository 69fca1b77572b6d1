/** Debian's docker-registry for tests and benchmarks, and a client that writes anything to it. */
@NullMarked
package io.crema.e2e.registry;

import org.jspecify.annotations.NullMarked;
