package io.crema.server.streaming;

import io.crema.base.ErrorKind;
import io.crema.server.base.ServerException;
import java.util.List;

/** What the fields of streaming requests must say, before anything is looked up. */
final class StreamingRequests {
    private static final int MAX_PORT = 65535;

    private StreamingRequests() {}

    static void checkContainer(String id) {
        require(!id.isEmpty(), "container_id is empty; name the container");
    }

    static void checkPod(String id) {
        require(!id.isEmpty(), "pod_sandbox_id is empty; name the pod sandbox");
    }

    static void checkStreams(boolean stdin, boolean stdout, boolean stderr, boolean tty) {
        require(stdin || stdout || stderr, "one of stdin, stdout and stderr must be true");
        require(!(tty && stderr), "tty and stderr cannot both be true: a terminal has one output");
    }

    static void checkPorts(List<Integer> ports) {
        for (int port : ports) {
            require(port > 0 && port <= MAX_PORT, "port " + port + " is not in 1 to 65535");
        }
    }

    private static void require(boolean isRight, String message) {
        if (!isRight) {
            throw new ServerException(ErrorKind.INVALID_ARGUMENT, message);
        }
    }
}
