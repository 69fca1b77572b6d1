/** What the node holds: records on disk, live pod sandboxes and containers, names and look-ups. */
@NullMarked
package io.crema.runtime.state;

import org.jspecify.annotations.NullMarked;
