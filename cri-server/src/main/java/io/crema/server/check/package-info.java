/** What an operator is told about this node: {@code crema check}. */
@NullMarked
package io.crema.server.check;

import org.jspecify.annotations.NullMarked;
