package io.crema.server.grpc;

/** Tells calls that only look from calls that change something, for the log. */
final class Reads {
    private Reads() {}

    /**
     * Kubelet asks for lists, states and statistics every few seconds, and runs probes by ExecSync
     * as often: at level info those lines would bury the changes.
     */
    static boolean isRead(String method) {
        return method.startsWith("List")
                || method.startsWith("Stream")
                || method.endsWith("Status")
                || method.endsWith("Stats")
                || method.equals("Version")
                || method.equals("RuntimeConfig")
                || method.equals("ImageFsInfo")
                || method.equals("ExecSync");
    }
}
