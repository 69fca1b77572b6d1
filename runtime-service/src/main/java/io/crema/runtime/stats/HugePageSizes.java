package io.crema.runtime.stats;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The sizes of huge pages that the machine has, as the files of cgroups are named by them. */
final class HugePageSizes {
    private static final String PREFIX = "hugepages-";
    private static final String SUFFIX = "kB";

    private final Path directory;
    private volatile @Nullable List<String> known;

    HugePageSizes(Path sys) {
        this.directory = sys.resolve("kernel/mm/hugepages");
    }

    /** Such as "2MB" and "1GB"; they never change while the machine runs. */
    List<String> all() {
        List<String> sizes = known;
        if (sizes == null) {
            sizes = list();
            known = sizes;
        }
        return sizes;
    }

    private List<String> list() {
        List<String> sizes = new ArrayList<>();
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(directory)) {
            for (Path entry : entries) {
                String name = entry.getFileName().toString();
                if (name.startsWith(PREFIX) && name.endsWith(SUFFIX)) {
                    long kibibytes =
                            Long.parseLong(
                                    name, PREFIX.length(), name.length() - SUFFIX.length(), 10);
                    sizes.add(size(kibibytes));
                }
            }
        } catch (IOException e) {
            return List.of(); // a kernel without huge pages
        }
        sizes.sort(null);
        return List.copyOf(sizes);
    }

    private static String size(long kibibytes) {
        if (kibibytes >= 1 << 20) {
            return (kibibytes >> 20) + "GB";
        }
        return kibibytes >= 1 << 10 ? (kibibytes >> 10) + "MB" : kibibytes + "KB";
    }
}
