package io.crema.e2e;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** What this node's AppArmor, if it has one, says of processes. */
final class AppArmor {
    private static final Path ENABLED = Path.of("/sys/module/apparmor/parameters/enabled");

    private AppArmor() {}

    static boolean isEnabled() throws IOException {
        return Files.exists(ENABLED) && Files.readString(ENABLED).startsWith("Y");
    }

    /** The profile and its mode; empty on a node without AppArmor. */
    static String confinementOf(Path process) throws IOException {
        return isEnabled() ? Files.readString(process.resolve("attr/current")).strip() : "";
    }
}
