package io.crema.runtime.streaming;

import io.crema.cri.v1.AttachRequest;
import io.crema.cri.v1.ExecRequest;
import io.crema.cri.v1.PortForwardRequest;
import java.util.Optional;

/**
 * Interactive access to containers and pods. The server calls a {@code check} when the gRPC request
 * comes and the method of the same name when a client uses the URL, up to a minute later; both are
 * called on virtual threads, see the state at that time, and throw {@link
 * io.crema.base.CremaException}s: NOT_FOUND for an unknown id, FAILED_PRECONDITION for a state that
 * forbids it. Fields were checked by the server (the id is not empty; at least one stream for exec
 * and attach; no stderr with a terminal).
 *
 * <p>Outputs that the request does not ask for are never written to. Bytes may come before a method
 * returns.
 */
public interface Streaming {
    /** Exec needs a running container whose kill loop has not begun, and a command. */
    void checkExec(ExecRequest request);

    /**
     * Begins to start the command and does not wait for it: what fails after the checks fails
     * {@link ProcessStreams#end}. With a terminal everything comes on stdout.
     *
     * @param size what the terminal has from its first moment on, where it is known by now
     */
    ProcessStreams exec(
            ExecRequest request, Optional<TerminalSize> size, ByteSink stdout, ByteSink stderr);

    /** Exec with a terminal of unknown size, or without one. */
    default ProcessStreams exec(ExecRequest request, ByteSink stdout, ByteSink stderr) {
        return exec(request, Optional.empty(), stdout, stderr);
    }

    /** Attach needs a created or running container. */
    void checkAttach(AttachRequest request);

    /** Connects to the monitor; the output of a created container comes once it is started. */
    ProcessStreams attach(AttachRequest request, ByteSink stdout, ByteSink stderr);

    /** Port-forward needs a ready pod sandbox; the list of ports may be empty. */
    void checkPortForward(PortForwardRequest request);

    /**
     * Begins to connect to localhost in the pod's network namespace, 127.0.0.1 first, ::1 after
     * that; on the host for a pod with the host's network. Does not wait: a refused connection
     * fails {@link PortConnection#end}.
     *
     * @param port 1 to 65535
     */
    PortConnection connect(String podSandboxId, int port, ByteSink fromPod);
}
