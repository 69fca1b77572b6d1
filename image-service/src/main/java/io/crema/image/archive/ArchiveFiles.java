package io.crema.image.archive;

import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;

/** The files of an archive by their names inside it. */
interface ArchiveFiles extends AutoCloseable {
    Optional<Long> size(String name) throws IOException;

    Optional<InputStream> open(String name) throws IOException;

    @Override
    void close() throws IOException;
}
