/** Container Device Interface: devices that vendors describe in files. */
@NullMarked
package io.crema.runtime.cdi;

import org.jspecify.annotations.NullMarked;
