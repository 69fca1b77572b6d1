package io.crema.server.streaming;

import io.crema.cri.v1.AttachRequest;
import io.crema.cri.v1.ExecRequest;
import io.crema.cri.v1.PortForwardRequest;

/** What a URL stands for: a request that was checked and waits for its client. */
sealed interface Ticket {
    record ForExec(ExecRequest request) implements Ticket {}

    record ForAttach(AttachRequest request) implements Ticket {}

    record ForPortForward(PortForwardRequest request) implements Ticket {}

    /** The first part of the URL's path. */
    default String word() {
        return switch (this) {
            case ForExec _ -> "exec";
            case ForAttach _ -> "attach";
            case ForPortForward _ -> "portforward";
        };
    }
}
