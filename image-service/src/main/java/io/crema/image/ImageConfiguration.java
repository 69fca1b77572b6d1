package io.crema.image;

import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The execution parameters of an image (image-spec, config.md); empty where the image says nothing.
 *
 * @param environment entries of the form NAME=value in the image's order
 * @param user as in the image: user, uid, user:group, uid:gid
 */
public record ImageConfiguration(
        String architecture,
        String os,
        String user,
        List<String> environment,
        List<String> entrypoint,
        List<String> command,
        String workingDirectory,
        String stopSignal,
        Set<String> volumes,
        Map<String, String> labels) {
    public ImageConfiguration {
        environment = List.copyOf(environment);
        entrypoint = List.copyOf(entrypoint);
        command = List.copyOf(command);
        volumes = Set.copyOf(volumes);
        labels = Map.copyOf(labels);
    }

    /** Says nothing at all, as for an artifact. */
    public static ImageConfiguration none() {
        return new ImageConfiguration(
                "", "", "", List.of(), List.of(), List.of(), "", "", Set.of(), Map.of());
    }
}
