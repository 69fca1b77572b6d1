/**
 * Black-box tests over the CRI socket; they pass on containerd, too, where the feature exists
 * there.
 */
@NullMarked
package io.crema.e2e;

import org.jspecify.annotations.NullMarked;
