/**
 * The streaming server: exec, attach and port-forward over SPDY/3.1 and WebSocket, as kubelet,
 * kubectl and crictl speak them.
 */
@NullMarked
package io.crema.server.streaming;

import org.jspecify.annotations.NullMarked;
