package io.crema.server.streaming;

import io.crema.cri.v1.ExecRequest;
import io.crema.cri.v1.ExecResponse;

/** Answers a URL at which a client can run a command in a container. */
public final class Exec {
    private final StreamingServer server;

    public Exec(StreamingServer server) {
        this.server = server;
    }

    public ExecResponse run(ExecRequest request) {
        StreamingRequests.checkContainer(request.getContainerId());
        StreamingRequests.checkStreams(
                request.getStdin(), request.getStdout(), request.getStderr(), request.getTty());
        server.streaming().checkExec(request);
        return ExecResponse.newBuilder().setUrl(server.url(new Ticket.ForExec(request))).build();
    }
}
