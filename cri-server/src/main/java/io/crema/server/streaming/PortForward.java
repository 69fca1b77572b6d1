package io.crema.server.streaming;

import io.crema.cri.v1.PortForwardRequest;
import io.crema.cri.v1.PortForwardResponse;

/** Answers a URL at which a client can open connections to ports of a pod. */
public final class PortForward {
    private final StreamingServer server;

    public PortForward(StreamingServer server) {
        this.server = server;
    }

    public PortForwardResponse run(PortForwardRequest request) {
        StreamingRequests.checkPod(request.getPodSandboxId());
        StreamingRequests.checkPorts(request.getPortList());
        server.streaming().checkPortForward(request);
        return PortForwardResponse.newBuilder()
                .setUrl(server.url(new Ticket.ForPortForward(request)))
                .build();
    }
}
