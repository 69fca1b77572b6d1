/**
 * Statistics and metrics of pods and containers, read from control groups, network namespaces and
 * writable layers when they are asked for.
 */
@NullMarked
package io.crema.runtime.stats;

import org.jspecify.annotations.NullMarked;
