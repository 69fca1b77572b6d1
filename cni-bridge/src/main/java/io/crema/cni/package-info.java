/** CNI: configuration, plugin chains, results and their cache (CNI specification 1.1). */
@NullMarked
package io.crema.cni;

import org.jspecify.annotations.NullMarked;
