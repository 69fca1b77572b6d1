package io.crema.server.streaming;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.server.base.ServerJson;
import java.nio.charset.StandardCharsets;

/**
 * How an exec or attach ended, as the error stream tells it (metav1.Status of Kubernetes).
 *
 * @param message empty after success
 */
record CommandStatus(Kind kind, int exitCode, String message) {
    /** What clients tell apart. */
    enum Kind {
        SUCCESS,
        NON_ZERO_EXIT,
        FAILURE
    }

    static CommandStatus exited(int code) {
        return code == 0
                ? new CommandStatus(Kind.SUCCESS, 0, "")
                : new CommandStatus(
                        Kind.NON_ZERO_EXIT,
                        code,
                        "command terminated with non-zero exit code: exit status " + code);
    }

    static CommandStatus failed(String message) {
        return new CommandStatus(Kind.FAILURE, 0, message);
    }

    /** For v4 and later. */
    byte[] json() {
        ObjectNode status = JsonNodeFactory.instance.objectNode();
        status.putObject("metadata");
        switch (kind) {
            case SUCCESS -> status.put("status", "Success");
            case NON_ZERO_EXIT -> {
                status.put("status", "Failure");
                status.put("message", message);
                status.put("reason", "NonZeroExitCode");
                cause(status).put("reason", "ExitCode").put("message", Integer.toString(exitCode));
            }
            case FAILURE -> {
                status.put("status", "Failure");
                status.put("message", "Internal error occurred: " + message);
                status.put("reason", "InternalError");
                cause(status).put("message", message);
                status.put("code", 500);
            }
        }
        return ServerJson.write(status);
    }

    private static ObjectNode cause(ObjectNode status) {
        return status.putObject("details").putArray("causes").addObject();
    }

    /** For the older protocols: nothing after success. */
    byte[] text() {
        return message.getBytes(StandardCharsets.UTF_8);
    }
}
