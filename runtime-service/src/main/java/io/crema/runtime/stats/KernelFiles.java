package io.crema.runtime.stats;

import io.crema.oci.linux.LinuxFiles;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Hands out buffers for reading files that the kernel makes up at each read (cgroup, proc, sys).
 * Thread safe. Lock-free, because a buffer is also taken and used inside namespaces, where nothing
 * may wake another thread.
 */
final class KernelFiles {
    private static final int KEPT = 4;

    private final LinuxFiles files;
    private final AtomicReferenceArray<@Nullable KernelText> idle =
            new AtomicReferenceArray<@Nullable KernelText>(KEPT);

    KernelFiles(LinuxFiles files) {
        this.files = files;
    }

    /** A buffer to read one file after the other into; given back by closing it. */
    KernelText take() {
        for (int i = 0; i < KEPT; i++) {
            KernelText text = idle.getAndSet(i, null);
            if (text != null) {
                return text;
            }
        }
        return new KernelText(this, files);
    }

    void giveBack(KernelText text) {
        for (int i = 0; i < KEPT; i++) {
            if (idle.compareAndSet(i, null, text)) {
                return;
            }
        }
    }
}
