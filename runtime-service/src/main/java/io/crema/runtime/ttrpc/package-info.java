/**
 * ttrpc, gRPC's calls without HTTP/2, in both directions over one unix socket, as NRI plugins speak
 * it.
 */
@NullMarked
package io.crema.runtime.ttrpc;

import org.jspecify.annotations.NullMarked;
