/**
 * The Prometheus endpoint ({@code [crio.metrics]}), with the names that dashboards for CRI-O know.
 */
@NullMarked
package io.crema.server.metrics;

import org.jspecify.annotations.NullMarked;
