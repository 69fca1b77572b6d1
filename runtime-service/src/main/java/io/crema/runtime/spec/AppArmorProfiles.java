package io.crema.runtime.spec;

import io.crema.base.ErrorKind;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** Which AppArmor profiles the kernel holds; asked each time, because others load and unload. */
public final class AppArmorProfiles {
    private final Path list;

    /**
     * @param root / but in tests
     */
    public AppArmorProfiles(Path root) {
        this.list = root.resolve("sys/kernel/security/apparmor/profiles");
    }

    public boolean isLoaded(String name) {
        try {
            for (String line : Files.readAllLines(list, StandardCharsets.UTF_8)) {
                int mode = line.lastIndexOf(" ("); // such as "name (enforce)"
                if (mode >= 0 && line.substring(0, mode).equals(name)) {
                    return true;
                }
            }
            return false;
        } catch (NoSuchFileException e) {
            return false;
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL, "cannot read the loaded profiles in " + list + ": " + e, e);
        }
    }
}
