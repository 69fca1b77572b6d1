/** Control groups of pods and containers: where they lie, and what is done to them directly. */
@NullMarked
package io.crema.runtime.cgroup;

import org.jspecify.annotations.NullMarked;
