/**
 * Registries: where an image is served (registries.conf), who we are there (credentials, TLS), and
 * the distribution protocol over HTTP.
 */
@NullMarked
package io.crema.image.registry;

import org.jspecify.annotations.NullMarked;
