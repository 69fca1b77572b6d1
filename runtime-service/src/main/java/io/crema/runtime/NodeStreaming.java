package io.crema.runtime;

import io.crema.cri.v1.AttachRequest;
import io.crema.cri.v1.ExecRequest;
import io.crema.cri.v1.PortForwardRequest;
import io.crema.runtime.streaming.ByteSink;
import io.crema.runtime.streaming.PortConnection;
import io.crema.runtime.streaming.ProcessStreams;
import io.crema.runtime.streaming.Streaming;
import io.crema.runtime.streaming.TerminalSize;
import java.util.Optional;

/** Exec, attach and port-forward on this node, each by the class of its name. */
final class NodeStreaming implements Streaming {
    private final Exec exec;
    private final Attach attach;
    private final PortForward portForward;

    NodeStreaming(Exec exec, Attach attach, PortForward portForward) {
        this.exec = exec;
        this.attach = attach;
        this.portForward = portForward;
    }

    @Override
    public void checkExec(ExecRequest request) {
        exec.announce(request);
    }

    @Override
    public ProcessStreams exec(
            ExecRequest request, Optional<TerminalSize> size, ByteSink stdout, ByteSink stderr) {
        return exec.run(request, size, stdout, stderr);
    }

    @Override
    public void checkAttach(AttachRequest request) {
        attach.check(request);
    }

    @Override
    public ProcessStreams attach(AttachRequest request, ByteSink stdout, ByteSink stderr) {
        return attach.run(request, stdout, stderr);
    }

    @Override
    public void checkPortForward(PortForwardRequest request) {
        portForward.check(request.getPodSandboxId());
        request.getPortList().forEach(portForward::checkPort);
    }

    @Override
    public PortConnection connect(String podSandboxId, int port, ByteSink fromPod) {
        return portForward.connect(podSandboxId, port, fromPod);
    }
}
