@NullMarked
package io.crema.server.metrics;

import org.jspecify.annotations.NullMarked;
