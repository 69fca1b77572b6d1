package io.crema.image.archive;

import io.crema.image.layer.TarIndex;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/**
 * The files of a tar archive.
 *
 * @param temporary the decompressed copy, deleted at the end
 */
record TarFiles(TarIndex index, Optional<Path> temporary) implements ArchiveFiles {
    @Override
    public Optional<Long> size(String name) {
        return index.size(name);
    }

    @Override
    public Optional<InputStream> open(String name) {
        return index.open(name);
    }

    @Override
    public void close() throws IOException {
        index.close();
        if (temporary.isPresent()) {
            Files.deleteIfExists(temporary.get());
        }
    }
}
