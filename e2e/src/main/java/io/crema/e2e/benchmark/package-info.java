/** The benchmark behind e2e/benchmark. */
@NullMarked
package io.crema.e2e.benchmark;

import org.jspecify.annotations.NullMarked;
