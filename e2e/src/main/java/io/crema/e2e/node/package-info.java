/** A node for tests and benchmarks: network namespace, directories and a CRI daemon of its own. */
@NullMarked
package io.crema.e2e.node;

import org.jspecify.annotations.NullMarked;
