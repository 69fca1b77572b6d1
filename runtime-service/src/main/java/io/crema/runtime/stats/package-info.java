/**
 * Statistics and metrics of pods and containers, read from control groups, network namespaces and
 * writable layers when they are asked for. {@link io.crema.runtime.stats.StatsCalls} is the front.
 *
 * <p>Decisions, and what was rejected:
 *
 * <ul>
 *   <li>Nothing is collected in the background but the size of writable layers; a rate comes from
 *       the reading before. <i>Rejected:</i> a collector that reads every second what kubelet asks
 *       for every ten.
 *   <li>In the hybrid layout pressure is read from the hierarchy of version 2, into which runc puts
 *       containers too. <i>Rejected:</i> no pressure on such machines.
 *   <li>A pod's figures are those of the cgroup around its containers only when that is named by
 *       the pod's uid, as kubelet names it; otherwise they are the sum of its containers.
 *       <i>Rejected:</i> always the cgroup around, which clients other than kubelet share between
 *       pods.
 *   <li>Network counters are read through a process of the pod. <i>Rejected:</i> descriptors that
 *       stay open in each namespace, because they keep it alive, and a thread for each pod, which
 *       is the way only for pods without processes.
 *   <li>Files are opened for each reading. Four fifths of an answer are the kernel's time;
 *       <i>rejected:</i> some twenty descriptors for each pod kept open.
 * </ul>
 */
@NullMarked
package io.crema.runtime.stats;

import org.jspecify.annotations.NullMarked;
