@NullMarked
package io.crema.server.streaming;

import org.jspecify.annotations.NullMarked;
