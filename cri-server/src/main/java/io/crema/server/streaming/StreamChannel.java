package io.crema.server.streaming;

import io.crema.cri.v1.AttachRequest;
import io.crema.cri.v1.ExecRequest;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;

/** The streams of exec and attach; the number is the first byte of a WebSocket message. */
enum StreamChannel {
    STDIN(0, "stdin"),
    STDOUT(1, "stdout"),
    STDERR(2, "stderr"),
    ERROR(3, "error"),
    RESIZE(4, "resize");

    private final int number;
    private final String word;

    StreamChannel(int number, String word) {
        this.number = number;
        this.word = word;
    }

    int number() {
        return number;
    }

    /** As in the header {@code streamtype} of SPDY. */
    static Optional<StreamChannel> named(String word) {
        for (StreamChannel channel : values()) {
            if (channel.word.equals(word)) {
                return Optional.of(channel);
            }
        }
        return Optional.empty();
    }

    /** The streams that a request asks for; the error stream is always there. */
    static Set<StreamChannel> wantedBy(Ticket ticket) {
        return switch (ticket) {
            case Ticket.ForExec(ExecRequest request) ->
                    channels(
                            request.getStdin(),
                            request.getStdout(),
                            request.getStderr(),
                            request.getTty());
            case Ticket.ForAttach(AttachRequest request) ->
                    channels(
                            request.getStdin(),
                            request.getStdout(),
                            request.getStderr(),
                            request.getTty());
            case Ticket.ForPortForward _ -> EnumSet.of(ERROR);
        };
    }

    private static Set<StreamChannel> channels(
            boolean stdin, boolean stdout, boolean stderr, boolean tty) {
        Set<StreamChannel> channels = EnumSet.of(ERROR);
        if (stdin) {
            channels.add(STDIN);
        }
        if (stdout) {
            channels.add(STDOUT);
        }
        if (stderr) {
            channels.add(STDERR);
        }
        if (tty) {
            channels.add(RESIZE);
        }
        return channels;
    }

    @Override
    public String toString() {
        return word;
    }
}
