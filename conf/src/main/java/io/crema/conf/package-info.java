/** Typed configuration: the TOML tables and keys of crio.conf, drop-ins, and the command line. */
@NullMarked
package io.crema.conf;

import org.jspecify.annotations.NullMarked;
