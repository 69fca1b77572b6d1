/** TLS of the servers that listen on the network: streams and metrics. */
@NullMarked
package io.crema.server.tls;

import org.jspecify.annotations.NullMarked;
