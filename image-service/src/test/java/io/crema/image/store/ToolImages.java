package io.crema.image.store;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Makes and copies images with the tools that everybody uses: umoci and skopeo. */
final class ToolImages {
    private ToolImages() {}

    static String run(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), UTF_8);
        if (process.waitFor() != 0) {
            throw new IllegalStateException(String.join(" ", command) + ": " + said);
        }
        return said;
    }

    /** An OCI layout with an image of these plain layers. */
    static Path layout(Path directory, String tag, List<byte[]> layers)
            throws IOException, InterruptedException {
        if (!Files.exists(directory)) {
            run("umoci", "init", "--layout", directory.toString());
        }
        String image = directory + ":" + tag;
        run("umoci", "new", "--image", image);
        for (byte[] layer : layers) {
            Path file = Files.createTempFile(directory.getParent(), "layer", ".tar");
            Files.write(file, layer);
            run("umoci", "raw", "add-layer", "--image", image, file.toString());
            Files.delete(file);
        }
        run(
                "umoci",
                "config",
                "--image",
                image,
                "--config.user",
                "daemon",
                "--config.cmd",
                "/bin/true");
        return directory;
    }

    static void copy(String from, String to, String... flags)
            throws IOException, InterruptedException {
        List<String> command =
                new ArrayList<>(List.of("skopeo", "--insecure-policy", "copy", "-q"));
        command.addAll(List.of(flags));
        command.add(from);
        command.add(to);
        run(command.toArray(String[]::new));
    }
}
