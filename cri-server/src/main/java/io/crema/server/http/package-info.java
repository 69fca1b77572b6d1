/** HTTP/1.1 on the CRI socket, for cAdvisor and for this program's own command line. */
@NullMarked
package io.crema.server.http;

import org.jspecify.annotations.NullMarked;
