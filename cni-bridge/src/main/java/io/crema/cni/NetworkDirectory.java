package io.crema.cni;

import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Finds the default network among the files of a directory. */
record NetworkDirectory(Path directory, String defaultNetwork) {
    private static final int MAX_FILES = 256;

    /**
     * What one look at the directory found.
     *
     * @param network the default one
     * @param invalid file → what is wrong with it
     * @param problem why there is no default network
     */
    record Found(
            Optional<NetworkConfiguration> network, Map<Path, String> invalid, String problem) {
        Found {
            invalid = Map.copyOf(invalid);
        }

        /** Whether two looks found the same, so that nothing needs to be examined again. */
        boolean isSameAs(Found other) {
            return invalid.equals(other.invalid)
                    && problem.equals(other.problem)
                    && network.map(NetworkConfiguration::source)
                            .equals(other.network.map(NetworkConfiguration::source))
                    && network.map(NetworkConfiguration::json)
                            .equals(other.network.map(NetworkConfiguration::json));
        }

        /** One clause per invalid file, sorted, empty when there is none. */
        String invalidFiles() {
            List<Path> files = new ArrayList<>(invalid.keySet());
            files.sort(null);
            StringBuilder text = new StringBuilder();
            for (Path file : files) {
                text.append(text.isEmpty() ? "" : "; ")
                        .append(file.getFileName())
                        .append(": ")
                        .append(invalid.get(file));
            }
            return text.toString();
        }
    }

    /**
     * Reads all files in lexical order: the first valid one wins, or the first with the wanted
     * name. A valid file whose plugins are not installed still wins: falling through to another
     * network would silently put pods elsewhere while an installer is half done.
     */
    Found read() {
        Map<Path, String> invalid = new LinkedHashMap<>();
        List<String> names = new ArrayList<>();
        List<Path> files;
        try {
            files = files();
        } catch (IOException e) {
            return new Found(
                    Optional.empty(),
                    invalid,
                    "cannot read the CNI configuration directory "
                            + directory
                            + ": "
                            + reason(e)
                            + "; create it and put a .conflist file there");
        }
        Optional<NetworkConfiguration> chosen = Optional.empty();
        for (Path file : files) {
            try {
                NetworkConfiguration network = NetworkConfigurationReader.read(file);
                names.add(network.name());
                if (chosen.isEmpty()
                        && (defaultNetwork.isEmpty() || defaultNetwork.equals(network.name()))) {
                    chosen = Optional.of(network);
                }
            } catch (IOException e) {
                invalid.put(file, reason(e));
            }
        }
        return new Found(chosen, invalid, chosen.isPresent() ? "" : problem(names));
    }

    private String problem(List<String> names) {
        if (!defaultNetwork.isEmpty()) {
            return "no CNI network named '"
                    + defaultNetwork
                    + "' (cni_default_network) in "
                    + directory
                    + (names.isEmpty() ? "" : "; there are: " + String.join(", ", names));
        }
        return "no valid CNI configuration in " + directory + "; put a .conflist file there";
    }

    private List<Path> files() throws IOException {
        List<Path> files = new ArrayList<>();
        try (DirectoryStream<Path> found = Files.newDirectoryStream(directory)) {
            for (Path file : found) {
                String name = String.valueOf(file.getFileName());
                boolean isConfiguration =
                        name.endsWith(".conf")
                                || name.endsWith(".conflist")
                                || name.endsWith(".json");
                if (isConfiguration && !Files.isDirectory(file)) {
                    files.add(file);
                    if (files.size() > MAX_FILES) {
                        throw new IOException("more than " + MAX_FILES + " files");
                    }
                }
            }
        } catch (DirectoryIteratorException e) {
            throw e.getCause();
        }
        files.sort(null);
        return files;
    }

    /** Files.* exceptions carry only the path in their message; add what happened to it. */
    private static String reason(IOException e) {
        return switch (e) {
            case NoSuchFileException gone -> "it does not exist";
            case NotDirectoryException file -> "it is not a directory";
            case AccessDeniedException denied -> "permission denied";
            default -> String.valueOf(e.getMessage());
        };
    }
}
