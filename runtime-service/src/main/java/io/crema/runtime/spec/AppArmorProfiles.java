package io.crema.runtime.spec;

import io.crema.base.ErrorKind;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which AppArmor profiles the kernel holds; asked each time, because others load and unload. The
 * built-in one is loaded when it is needed and not there. Thread safe.
 */
public final class AppArmorProfiles {
    private static final Logger LOG = LoggerFactory.getLogger(AppArmorProfiles.class);

    /** The same profile under both names: files written for CRI-O name its own. */
    private static final Set<String> BUILT_IN = Set.of("crema-default", "crio-default");

    private static final String TEXT = "apparmor.profile";
    private static final String NAME = "@NAME@";
    private static final int LOCK_SECONDS = 60;

    private final Path list;
    private final @Nullable AppArmorParser parser;
    private final ReentrantLock loading = new ReentrantLock();

    /**
     * @param root / but in tests
     */
    public AppArmorProfiles(Path root, AppArmorParser parser) {
        this(parser, root);
    }

    private AppArmorProfiles(@Nullable AppArmorParser parser, Path root) {
        this.parser = parser;
        this.list = root.resolve("sys/kernel/security/apparmor/profiles");
    }

    /** Profiles that only others load. */
    public static AppArmorProfiles loadedElsewhere(Path root) {
        return new AppArmorProfiles(null, root);
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

    /**
     * Sees to it that a default profile is loaded.
     *
     * @return why it is not; empty when it is
     */
    Optional<String> provide(String name) {
        if (isLoaded(name)) {
            return Optional.empty();
        }
        String missing = "the AppArmor profile " + name + " is not loaded on this node";
        if (parser == null || !BUILT_IN.contains(name)) {
            return Optional.of(missing);
        }
        try {
            if (!loading.tryLock(LOCK_SECONDS, TimeUnit.SECONDS)) {
                return Optional.of(missing + ": loading it takes longer than expected");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return Optional.of(missing + ": interrupted while it was loaded");
        }
        try {
            if (isLoaded(name)) {
                return Optional.empty();
            }
            Optional<String> trouble = parser.load(builtIn(name));
            if (trouble.isEmpty()) {
                LOG.info("loaded the AppArmor profile {}", name);
            }
            return trouble.map(reason -> missing + " and cannot be loaded: " + reason);
        } finally {
            loading.unlock();
        }
    }

    static String builtIn(String name) {
        try (InputStream stream = AppArmorProfiles.class.getResourceAsStream(TEXT)) {
            if (stream == null) {
                throw new IllegalStateException("the resource " + TEXT + " is missing");
            }
            return new String(stream.readAllBytes(), StandardCharsets.UTF_8).replace(NAME, name);
        } catch (IOException e) {
            throw new IllegalStateException("the resource " + TEXT + " cannot be read", e);
        }
    }
}
