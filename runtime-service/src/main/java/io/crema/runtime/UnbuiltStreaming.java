package io.crema.runtime;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.AttachRequest;
import io.crema.cri.v1.ExecRequest;
import io.crema.cri.v1.PortForwardRequest;
import io.crema.runtime.state.PodException;
import io.crema.runtime.streaming.ByteSink;
import io.crema.runtime.streaming.PortConnection;
import io.crema.runtime.streaming.ProcessStreams;
import io.crema.runtime.streaming.Streaming;

/** Refuses every stream, until the node's side of streaming is built. */
final class UnbuiltStreaming implements Streaming {
    @Override
    public void checkExec(ExecRequest request) {
        throw unbuilt("Exec");
    }

    @Override
    public ProcessStreams exec(ExecRequest request, ByteSink stdout, ByteSink stderr) {
        throw unbuilt("Exec");
    }

    @Override
    public void checkAttach(AttachRequest request) {
        throw unbuilt("Attach");
    }

    @Override
    public ProcessStreams attach(AttachRequest request, ByteSink stdout, ByteSink stderr) {
        throw unbuilt("Attach");
    }

    @Override
    public void checkPortForward(PortForwardRequest request) {
        throw unbuilt("PortForward");
    }

    @Override
    public PortConnection connect(String podSandboxId, int port, ByteSink fromPod) {
        throw unbuilt("PortForward");
    }

    private static PodException unbuilt(String method) {
        return new PodException(ErrorKind.UNIMPLEMENTED, method + " is not built yet");
    }
}
