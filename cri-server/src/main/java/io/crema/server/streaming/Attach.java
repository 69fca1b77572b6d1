package io.crema.server.streaming;

import io.crema.cri.v1.AttachRequest;
import io.crema.cri.v1.AttachResponse;

/** Answers a URL at which a client can talk to the main process of a container. */
public final class Attach {
    private final StreamingServer server;

    public Attach(StreamingServer server) {
        this.server = server;
    }

    public AttachResponse run(AttachRequest request) {
        StreamingRequests.checkContainer(request.getContainerId());
        StreamingRequests.checkStreams(
                request.getStdin(), request.getStdout(), request.getStderr(), request.getTty());
        server.streaming().checkAttach(request);
        return AttachResponse.newBuilder()
                .setUrl(server.url(new Ticket.ForAttach(request)))
                .build();
    }
}
