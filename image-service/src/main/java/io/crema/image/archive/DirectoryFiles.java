package io.crema.image.archive;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.Optional;

/** An OCI layout that lies unpacked in a directory; symbolic links in it are not followed. */
record DirectoryFiles(Path directory) implements ArchiveFiles {
    @Override
    public Optional<Long> size(String name) throws IOException {
        Path file = directory.resolve(name);
        return Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)
                ? Optional.of(Files.size(file))
                : Optional.empty();
    }

    @Override
    public Optional<InputStream> open(String name) throws IOException {
        return size(name).isPresent()
                ? Optional.of(
                        Files.newInputStream(directory.resolve(name), LinkOption.NOFOLLOW_LINKS))
                : Optional.empty();
    }

    @Override
    public void close() {}
}
