@NullMarked
package io.crema.server.tls;

import org.jspecify.annotations.NullMarked;
