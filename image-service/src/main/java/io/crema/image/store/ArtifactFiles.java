package io.crema.image.store;

import io.crema.base.CremaException;
import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import io.crema.image.layer.ContentHash;
import io.crema.image.layer.UnpackLimits;
import io.crema.image.registry.ContentDescriptor;
import io.crema.image.registry.MediaTypes;
import io.crema.oci.linux.Descriptor;
import io.crema.oci.linux.Errno;
import io.crema.oci.linux.Linux;
import io.crema.oci.linux.LinuxException;
import io.crema.oci.linux.LinuxFiles.OpenFlag;
import io.crema.oci.linux.LinuxFiles.Resolve;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.jspecify.annotations.Nullable;

/**
 * Writes the files of an artifact into a directory, each under its title, several at once. Titles
 * come from strangers: only plain names below the directory are taken.
 */
final class ArtifactFiles {
    private static final String TITLE = "org.opencontainers.image.title";

    /** What the model specification calls a title. */
    private static final String MODEL_PATH = "org.cncf.model.filepath";

    private static final Set<OpenFlag> DIRECTORY =
            Set.of(OpenFlag.READ_ONLY, OpenFlag.DIRECTORY, OpenFlag.NO_FOLLOW);
    private static final Set<OpenFlag> NEW_FILE =
            Set.of(OpenFlag.WRITE_ONLY, OpenFlag.CREATE, OpenFlag.EXCLUSIVE, OpenFlag.NO_FOLLOW);
    private static final Set<Resolve> INSIDE = Set.of(Resolve.BENEATH, Resolve.NO_SYMLINKS);
    private static final int FILE_MODE = 0644;
    private static final int DIRECTORY_MODE = 0755;
    private static final int MAX_NAME_BYTES = 255;
    private static final int MAX_DEPTH = 64;
    private static final int BUFFER_BYTES = 256 << 10;

    /** A guard only; sources have closer deadlines. */
    private static final long WAIT_LIMIT_HOURS = 24;

    private final Linux linux;
    private final Executor workers;
    private final UnpackLimits limits;
    private final Semaphore places;

    /**
     * @param workers platform threads: writing waits for the disk inside native calls
     * @param parallel files that are written at once, over all artifacts
     */
    ArtifactFiles(Linux linux, Executor workers, UnpackLimits limits, int parallel) {
        this.linux = linux;
        this.workers = workers;
        this.limits = limits;
        this.places = new Semaphore(parallel, true);
    }

    /**
     * Writes all files and returns when each has its promised size and digest.
     *
     * @param directory existing and empty
     * @throws ImageException INVALID_ARGUMENT for titles that are no names, UNAVAILABLE for wrong
     *     bytes
     */
    void write(IncomingArtifact artifact, Path directory) throws InterruptedException {
        Map<String, ContentDescriptor> named = byTitle(artifact);
        List<Task> tasks = new ArrayList<>();
        try {
            for (Map.Entry<String, ContentDescriptor> file : named.entrySet()) {
                places.acquire();
                Task task = new Task(artifact, file.getKey(), file.getValue(), directory);
                tasks.add(task);
                workers.execute(task);
                if (task.result.isCompletedExceptionally()) {
                    break;
                }
            }
            for (Task task : tasks) {
                task.await();
            }
        } finally {
            // Nobody may write any more when the caller deletes the directory.
            tasks.forEach(Task::cancel);
            tasks.forEach(Task::awaitEnd);
        }
    }

    private Map<String, ContentDescriptor> byTitle(IncomingArtifact artifact) {
        Map<String, ContentDescriptor> named = new LinkedHashMap<>();
        long bytes = 0;
        for (ContentDescriptor file : artifact.content().layers()) {
            bytes = Math.addExact(bytes, Math.min(file.sizeBytes(), Long.MAX_VALUE / 8192));
            if (bytes > limits.maxUnpackedBytes()) {
                throw refused(
                        artifact,
                        "is larger than " + limits.maxUnpackedBytes() + " bytes, the bound here");
            }
            String title =
                    file.annotations()
                            .getOrDefault(TITLE, file.annotations().getOrDefault(MODEL_PATH, ""));
            if (title.isEmpty()) {
                if (file.mediaType().equals(MediaTypes.OCI_EMPTY)) {
                    continue;
                }
                title = file.digest().algorithm() + "-" + file.digest().hex();
            }
            check(title, artifact);
            ContentDescriptor other = named.putIfAbsent(title, file);
            if (other != null && !other.digest().equals(file.digest())) {
                throw refused(artifact, "has two files called '" + title + "'");
            }
        }
        return named;
    }

    private static void check(String title, IncomingArtifact artifact) {
        String[] components = title.split("/", -1);
        boolean good = components.length <= MAX_DEPTH;
        for (String component : components) {
            good &=
                    !component.isEmpty()
                            && !component.equals(".")
                            && !component.equals("..")
                            && component.getBytes(StandardCharsets.UTF_8).length <= MAX_NAME_BYTES;
        }
        for (int i = 0; i < title.length(); i++) {
            good &= !Character.isISOControl(title.charAt(i));
        }
        if (!good) {
            String shown = title.length() > 80 ? title.substring(0, 80) + "…" : title;
            throw refused(
                    artifact,
                    "has a file with the title '"
                            + shown.replaceAll("\\p{Cntrl}", "?")
                            + "'; a title is a plain relative path");
        }
    }

    private static ImageException refused(IncomingArtifact artifact, String why) {
        return new ImageException(
                ErrorKind.INVALID_ARGUMENT, "artifact " + artifact.what() + " " + why);
    }

    /** One file on its way. */
    private final class Task implements Runnable {
        private final IncomingArtifact artifact;
        private final String title;
        private final ContentDescriptor file;
        private final Path directory;
        private final CompletableFuture<@Nullable Void> result = new CompletableFuture<>();
        private boolean cancelled;
        private @Nullable Thread thread;

        Task(IncomingArtifact artifact, String title, ContentDescriptor file, Path directory) {
            this.artifact = artifact;
            this.title = title;
            this.file = file;
            this.directory = directory;
        }

        @Override
        public void run() {
            try {
                synchronized (this) {
                    thread = Thread.currentThread();
                    if (cancelled) {
                        thread.interrupt();
                    }
                }
                write();
                end(null);
            } catch (IOException e) {
                end(failed(String.valueOf(e.getMessage()), e));
            } catch (CremaException e) {
                end(e instanceof ImageException ? e : failed(String.valueOf(e.getMessage()), e));
            } catch (Throwable e) {
                end(e);
            }
        }

        private ImageException failed(String why, Throwable cause) {
            return new ImageException(
                    ErrorKind.INTERNAL,
                    "artifact "
                            + artifact.what()
                            + ": file '"
                            + title
                            + "' cannot be stored: "
                            + why,
                    cause);
        }

        private void end(@Nullable Throwable failure) {
            synchronized (this) {
                thread = null;
            }
            places.release();
            if (failure == null) {
                result.complete(null);
            } else {
                result.completeExceptionally(failure);
            }
        }

        synchronized void cancel() {
            cancelled = true;
            if (thread != null) {
                thread.interrupt();
            }
        }

        void await() throws InterruptedException {
            try {
                result.get(WAIT_LIMIT_HOURS, TimeUnit.HOURS);
            } catch (ExecutionException e) {
                if (e.getCause() instanceof ImageException cause) {
                    throw new ImageException(
                            cause.kind(), String.valueOf(cause.getMessage()), cause);
                }
                throw new IllegalStateException("artifact " + artifact.what(), e.getCause());
            } catch (TimeoutException e) {
                throw failed("it did not come within " + WAIT_LIMIT_HOURS + " hours", e);
            }
        }

        /** An interrupted worker ends at its next read or write. */
        void awaitEnd() {
            try {
                result.exceptionally(failure -> null).join();
            } catch (java.util.concurrent.CompletionException e) {
                throw new IllegalStateException(e);
            }
        }

        private void write() throws IOException {
            try (Descriptor root = linux.open(directory, DIRECTORY, 0);
                    Descriptor out = create(root)) {
                linux.changeMode(out, FILE_MODE);
                if (file.sizeBytes() > 0) {
                    try (InputStream in = artifact.source().open(file)) {
                        copy(in, out);
                    }
                } else {
                    verify(ContentHash.like(file.digest()));
                }
            }
        }

        private Descriptor create(Descriptor root) {
            int slash = title.indexOf('/');
            while (slash > 0) {
                makeDirectory(root, title.substring(0, slash));
                slash = title.indexOf('/', slash + 1);
            }
            return linux.openAt(root, title, NEW_FILE, FILE_MODE, INSIDE);
        }

        private void makeDirectory(Descriptor root, String path) {
            int slash = path.lastIndexOf('/');
            if (slash < 0) {
                makeDirectoryIn(root, path);
                return;
            }
            try (Descriptor parent =
                    linux.openAt(root, path.substring(0, slash), DIRECTORY, 0, INSIDE)) {
                makeDirectoryIn(parent, path.substring(slash + 1));
            }
        }

        private void makeDirectoryIn(Descriptor parent, String name) {
            try {
                linux.makeDirectoryAt(parent, name, DIRECTORY_MODE);
                linux.changeModeAt(parent, name, DIRECTORY_MODE);
            } catch (LinuxException e) {
                if (!e.errno().is(Errno.EEXIST)) {
                    throw e;
                }
            }
        }

        private void copy(InputStream in, Descriptor out) throws IOException {
            ContentHash hash = ContentHash.like(file.digest());
            byte[] buffer = new byte[BUFFER_BYTES];
            long left = file.sizeBytes();
            int count;
            while ((count = in.read(buffer, 0, buffer.length)) >= 0) {
                if (Thread.currentThread().isInterrupted()) {
                    throw new ImageException(
                            ErrorKind.CANCELLED, "artifact " + artifact.what() + " was cancelled");
                }
                left -= count;
                if (left < 0) {
                    throw damaged("it has more bytes than the manifest says");
                }
                hash.update(buffer, 0, count);
                linux.write(out, buffer, 0, count);
            }
            if (left > 0) {
                throw damaged("it ends " + left + " bytes too early");
            }
            verify(hash);
        }

        private void verify(ContentHash hash) {
            if (!hash.digest().equals(file.digest())) {
                throw damaged("its digest is not " + file.digest());
            }
        }

        private ImageException damaged(String why) {
            return new ImageException(
                    ErrorKind.UNAVAILABLE,
                    "artifact "
                            + artifact.what()
                            + ": file '"
                            + title
                            + "' is damaged, nothing was kept: "
                            + why);
        }
    }
}
