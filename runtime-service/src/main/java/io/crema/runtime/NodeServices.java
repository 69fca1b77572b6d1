package io.crema.runtime;

import io.crema.cni.PodNetworks;
import io.crema.image.Images;
import io.crema.oci.linux.Linux;
import io.crema.oci.monitor.ContainerMonitor;
import io.crema.oci.process.Commands;
import io.crema.oci.process.PollLoop;
import io.crema.oci.runtime.Criu;
import io.crema.oci.userns.UserNamespaces;
import io.crema.runtime.cgroup.CgroupPlacement;
import io.crema.runtime.cgroup.Cgroups;
import io.crema.runtime.selinux.SelinuxLabels;
import io.crema.runtime.spec.NodeFacts;
import io.crema.runtime.state.Layout;
import java.time.Clock;

/** Everything below this module that the calls work with, wired once by the server. */
public record NodeServices(
        Linux linux,
        PollLoop pollLoop,
        PodNetworks networks,
        ContainerMonitor monitor,
        RuntimeHandlers handlers,
        Images images,
        Cgroups cgroupFiles,
        CgroupPlacement placement,
        NodeFacts facts,
        Layout layout,
        RuntimeSettings settings,
        Clock clock,
        UserNamespaces userNamespaces,
        Criu criu,
        SelinuxLabels selinux,
        Commands commands) {
    PodCgroups cgroups() {
        return new PodCgroups(cgroupFiles, placement);
    }

    /** Nanoseconds since 1970, as CRI timestamps are. */
    long nowNanos() {
        var now = clock.instant();
        return now.getEpochSecond() * 1_000_000_000L + now.getNano();
    }
}
