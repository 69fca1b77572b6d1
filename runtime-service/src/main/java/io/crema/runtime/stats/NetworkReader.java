package io.crema.runtime.stats;

import io.crema.cri.v1.NamespaceMode;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxNamespaces.NamespaceKind;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerState;
import io.crema.runtime.state.Layout;
import io.crema.runtime.state.PodSandbox;
import io.crema.runtime.state.ProcessIdentity;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Reads the interface counters of a pod's network namespace: through any process of the pod, which
 * is two reads of files, and only for a pod without processes by a thread that enters the
 * namespace.
 */
final class NetworkReader {
    /** What we ask CNI to call the interface. */
    private static final String CNI_INTERFACE = "eth0";

    private static final String LOOPBACK = "lo";
    private static final int INTERFACES_MAX = 1024;

    private final Linux linux;
    private final KernelFiles kernel;
    private final Layout layout;
    private final Path proc;

    NetworkReader(Linux linux, KernelFiles kernel, Layout layout, Path proc) {
        this.linux = linux;
        this.kernel = kernel;
        this.layout = layout;
        this.proc = proc;
    }

    /** Empty for pods in the host's network, and when the namespace has gone. */
    Optional<PodNetwork> read(PodSandbox sandbox, Collection<Container> containers) {
        if (isHostNetwork(sandbox)) {
            return Optional.empty();
        }
        try (KernelText text = kernel.take()) {
            Optional<PodNetwork> found = Optional.empty();
            for (Container container : containers) {
                if (container.state() instanceof ContainerState.Running) {
                    found = through(text, container.record().process());
                }
                if (found.isPresent()) {
                    return found;
                }
            }
            found = through(text, sandbox.record().init());
            return found.isPresent() ? found : inside(text, sandbox);
        }
    }

    static boolean isHostNetwork(PodSandbox sandbox) {
        return sandbox.config().getLinux().getSecurityContext().getNamespaceOptions().getNetwork()
                == NamespaceMode.NODE;
    }

    /**
     * The number of a process that has ended may be another one's by now; when the start time is
     * right after the reading, it was right before it.
     */
    private Optional<PodNetwork> through(KernelText text, @Nullable ProcessIdentity process) {
        if (process == null) {
            return Optional.empty();
        }
        Path directory = proc.resolve(Integer.toString(process.pid()));
        if (!text.readList(directory.resolve("net/dev"))) {
            return Optional.empty();
        }
        PodNetwork network = parse(text);
        return ProcessFiles.startTicks(text, directory) == process.startTicks()
                ? Optional.of(network)
                : Optional.empty();
    }

    private Optional<PodNetwork> inside(KernelText text, PodSandbox sandbox) {
        Path namespace = layout.namespace(sandbox.id(), NamespaceKind.NETWORK);
        Path file = proc.resolve("thread-self/net/dev");
        try {
            boolean found =
                    linux.inNamespaces(
                            Map.of(NamespaceKind.NETWORK, namespace), () -> text.readList(file));
            return found ? Optional.of(parse(text)) : Optional.empty();
        } catch (LinuxException e) {
            return Optional.empty(); // the pod is being stopped and its namespace is unpinned
        }
    }

    /** Two lines of headings, then {@code eth0: } and 16 numbers for each interface. */
    private static PodNetwork parse(KernelText text) {
        Optional<InterfaceCounters> main = Optional.empty();
        List<InterfaceCounters> others = new ArrayList<>();
        text.nextLine();
        text.nextLine();
        while (text.nextLine() && others.size() < INTERFACES_MAX) {
            if (!text.nextWord() || !text.cutWordAt(':') || text.wordIs(LOOPBACK)) {
                continue;
            }
            InterfaceCounters counters = counters(text, text.word());
            if (counters.name().equals(CNI_INTERFACE)) {
                main = Optional.of(counters);
            } else {
                others.add(counters);
            }
        }
        if (main.isEmpty() && !others.isEmpty()) {
            main = Optional.of(others.removeFirst());
        }
        return new PodNetwork(main, others);
    }

    private static InterfaceCounters counters(KernelText text, String name) {
        long[] columns = new long[16];
        for (int i = 0; i < columns.length && text.nextWord(); i++) {
            columns[i] = text.number();
        }
        return new InterfaceCounters(
                name,
                columns[0],
                columns[1],
                columns[2],
                columns[3],
                columns[8],
                columns[9],
                columns[10],
                columns[11]);
    }
}
