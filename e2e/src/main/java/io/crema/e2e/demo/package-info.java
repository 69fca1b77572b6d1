/** The demonstration behind e2e/run-pod. */
@NullMarked
package io.crema.e2e.demo;

import org.jspecify.annotations.NullMarked;
