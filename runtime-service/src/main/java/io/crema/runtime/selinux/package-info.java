/** SELinux labels of containers and their files. */
@NullMarked
package io.crema.runtime.selinux;

import org.jspecify.annotations.NullMarked;
