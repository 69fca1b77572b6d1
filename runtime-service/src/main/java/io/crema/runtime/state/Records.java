package io.crema.runtime.state;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.crema.base.DurableFile;
import io.crema.base.ErrorKind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * Reads and writes the JSON records of pods. A record is replaced by one rename, so a daemon that
 * dies at any instant leaves the old or the new one. It is deliberately not forced to disk: only a
 * power cut could lose it, a power cut implies a reboot, and after a reboot every pod is removed
 * anyway (what outlives a reboot, addresses given by CNI plugins, is in the CNI cache).
 */
public final class Records {
    private static final ObjectMapper JSON =
            new ObjectMapper()
                    .setDefaultPropertyInclusion(JsonInclude.Include.NON_NULL)
                    .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES);

    private Records() {}

    public static void write(Path file, Object record) {
        Path temporary = file.resolveSibling(file.getFileName() + DurableFile.TEMPORARY_SUFFIX);
        try {
            Files.write(temporary, JSON.writeValueAsBytes(record));
            Files.move(
                    temporary,
                    file,
                    StandardCopyOption.ATOMIC_MOVE,
                    StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL,
                    "cannot write the record "
                            + file
                            + ": "
                            + e
                            + "; is the disk full or read-only?",
                    e);
        }
    }

    public static <T> T read(Path file, Class<T> type) throws IOException {
        return JSON.readValue(file.toFile(), type);
    }
}
