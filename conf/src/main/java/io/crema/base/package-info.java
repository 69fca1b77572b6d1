/**
 * Ids, the error base, deadlines, clean-up stacks and durable records that every module builds on.
 */
@NullMarked
package io.crema.base;

import org.jspecify.annotations.NullMarked;
