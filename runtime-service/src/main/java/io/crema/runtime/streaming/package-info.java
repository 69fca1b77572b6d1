/**
 * The contract between the streaming server and what runs on the node: exec, attach, port-forward.
 */
@NullMarked
package io.crema.runtime.streaming;

import org.jspecify.annotations.NullMarked;
