package io.crema.runtime.hooks;

import io.crema.oci.spec.RuntimeSpec.Hook;
import io.crema.oci.spec.RuntimeSpec.Hooks;
import io.crema.runtime.files.ParsedFiles;
import io.crema.runtime.files.ParsedFiles.Parsed;
import io.crema.runtime.hooks.HookFile.Stage;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The hooks of the configured directories. A file hides one of the same name in an earlier
 * directory; hooks run in the order of their files' names. Thread safe.
 */
public final class HookDirectories {
    private final ParsedFiles<HookFile> files;

    public HookDirectories(List<Path> directories) {
        files =
                new ParsedFiles<>(
                        directories, List.of(".json"), (file, content) -> HookFile.parse(content));
    }

    /**
     * The hooks for one container, as the directories are now.
     *
     * @param command the first argument of its process
     * @param annotations the pod's and the container's own
     * @param hasBindMounts whether its request has mounts
     */
    public Hooks of(String command, Map<String, String> annotations, boolean hasBindMounts) {
        List<HookFile> chosen = chosen(command, annotations, hasBindMounts);
        return new Hooks(
                at(chosen, Stage.PRESTART),
                at(chosen, Stage.CREATE_RUNTIME),
                at(chosen, Stage.CREATE_CONTAINER),
                at(chosen, Stage.START_CONTAINER),
                at(chosen, Stage.POSTSTART),
                at(chosen, Stage.POSTSTOP));
    }

    /** Those that change the specification, in their order; see {@link PrecreateHooks}. */
    public List<Hook> precreate(
            String command, Map<String, String> annotations, boolean hasBindMounts) {
        return at(chosen(command, annotations, hasBindMounts), Stage.PRECREATE);
    }

    private List<HookFile> chosen(
            String command, Map<String, String> annotations, boolean hasBindMounts) {
        Map<String, HookFile> byName = new TreeMap<>();
        for (Parsed<HookFile> parsed : files.read()) {
            String name = parsed.file().getFileName().toString();
            if (parsed.content().isPresent()) {
                byName.put(name, parsed.content().get());
            } else {
                byName.remove(name);
            }
        }
        return byName.values().stream()
                .filter(file -> file.when().holds(command, annotations, hasBindMounts))
                .toList();
    }

    private static List<Hook> at(List<HookFile> chosen, Stage stage) {
        return chosen.stream()
                .filter(file -> file.stages().contains(stage))
                .map(HookFile::hook)
                .toList();
    }
}
