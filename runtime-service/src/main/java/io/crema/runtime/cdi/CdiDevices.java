package io.crema.runtime.cdi;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.CDIDevice;
import io.crema.cri.v1.ContainerConfig;
import io.crema.oci.linux.LinuxFiles;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.runtime.files.ParsedFiles;
import io.crema.runtime.files.ParsedFiles.Parsed;
import io.crema.runtime.state.PodException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Finds the devices that a container asks for by name in the configured directories and applies
 * what they change. A later directory wins; two files of one directory with the same device make it
 * unusable. Files are looked at only when a container asks, and parsed only when they changed.
 * Thread safe.
 */
public final class CdiDevices {
    private static final Logger LOG = LoggerFactory.getLogger(CdiDevices.class);
    private static final String ANNOTATION = "cdi.k8s.io/";

    private record Found(CdiSpec spec, Path file, int directory) {}

    private final LinuxFiles linux;
    private final ParsedFiles<CdiSpec> files;

    public CdiDevices(LinuxFiles linux, List<Path> directories) {
        this.linux = linux;
        this.files = new ParsedFiles<>(directories, List.of(".json", ".yaml"), CdiReader::read);
    }

    /** What the devices of one container change. */
    public final class Chosen {
        private final List<ContainerEdits> edits;

        private Chosen(List<ContainerEdits> edits) {
            this.edits = edits;
        }

        /**
         * @param hasNetDevices whether the OCI runtime moves network interfaces
         * @throws PodException FAILED_PRECONDITION for what a device needs and this node lacks
         */
        public RuntimeSpec applyTo(RuntimeSpec spec, boolean hasNetDevices) {
            if (edits.isEmpty()) {
                return spec;
            }
            SpecEditor editor = new SpecEditor(linux, spec, hasNetDevices);
            edits.forEach(editor::apply);
            return editor.result();
        }
    }

    /**
     * Finds the devices that a request names.
     *
     * @throws PodException INVALID_ARGUMENT for a name that is none, FAILED_PRECONDITION telling
     *     where was looked for a device that is not there
     */
    public Chosen choose(ContainerConfig config) {
        return choose(wanted(config));
    }

    /**
     * Finds devices by their qualified names.
     *
     * @param field that holds them, for messages
     * @throws PodException as for a request
     */
    public Chosen choose(String field, List<String> names) {
        Map<CdiDevice, String> wanted = new LinkedHashMap<>();
        names.forEach(name -> wanted.putIfAbsent(parse(field, name), field));
        return choose(wanted);
    }

    private Chosen choose(Map<CdiDevice, String> wanted) {
        if (wanted.isEmpty()) {
            return new Chosen(List.of());
        }
        List<Parsed<CdiSpec>> parsed = files.read();
        Map<CdiDevice, List<Found>> known = known(parsed);
        List<ContainerEdits> edits = new ArrayList<>();
        Set<CdiSpec> specsApplied = new LinkedHashSet<>();
        wanted.forEach((device, field) -> {
            Found found = resolved(device, field, known.getOrDefault(device, List.of()), parsed);
            if (specsApplied.add(found.spec())) {
                edits.add(found.spec().edits());
            }
            ContainerEdits own = found.spec().devices().get(device.name());
            if (own != null) {
                edits.add(own);
            }
        });
        return new Chosen(edits);
    }

    /** The devices in the order of the request, each with the field that names it first. */
    private static Map<CdiDevice, String> wanted(ContainerConfig config) {
        Map<CdiDevice, String> wanted = new LinkedHashMap<>();
        List<CDIDevice> fields = config.getCDIDevicesList();
        for (int i = 0; i < fields.size(); i++) {
            String field = "CDI_devices[" + i + "].name";
            wanted.putIfAbsent(parse(field, fields.get(i).getName()), field);
        }
        new TreeMap<>(config.getAnnotationsMap())
                .forEach((name, value) -> {
                    if (!name.startsWith(ANNOTATION)) {
                        return;
                    }
                    String field = "annotations: " + name;
                    for (String device : value.split(",", -1)) {
                        if (wanted.putIfAbsent(parse(field, device), field) != null) {
                            LOG.debug("{}: {} is asked for already", field, device);
                        }
                    }
                });
        return wanted;
    }

    private static CdiDevice parse(String field, String text) {
        try {
            return CdiDevice.parse(text);
        } catch (IllegalArgumentException e) {
            throw PodException.invalid(field + ": " + e.getMessage());
        }
    }

    /** Of each device those files that count: of the last directory that has any. */
    private static Map<CdiDevice, List<Found>> known(List<Parsed<CdiSpec>> parsed) {
        Map<CdiDevice, List<Found>> known = new HashMap<>();
        for (Parsed<CdiSpec> file : parsed) {
            file.content()
                    .ifPresent(spec -> {
                        for (String name : spec.devices().keySet()) {
                            List<Found> all =
                                    known.computeIfAbsent(
                                            new CdiDevice(spec.kind(), name),
                                            key -> new ArrayList<>());
                            if (!all.isEmpty() && all.getFirst().directory() < file.directory()) {
                                all.clear();
                            }
                            all.add(new Found(spec, file.file(), file.directory()));
                        }
                    });
        }
        return known;
    }

    private Found resolved(
            CdiDevice device, String field, List<Found> found, List<Parsed<CdiSpec>> parsed) {
        if (found.size() == 1) {
            return found.getFirst();
        }
        if (found.size() > 1) {
            throw refused(
                    field
                            + ": "
                            + device
                            + " is in more than one file: "
                            + found.stream().map(one -> one.file().toString()).toList()
                            + "; remove all but one");
        }
        Set<String> ofKind = new TreeSet<>();
        List<String> broken = new ArrayList<>();
        Map<Path, Integer> perDirectory = new LinkedHashMap<>();
        files.directories().forEach(directory -> perDirectory.put(directory, 0));
        for (Parsed<CdiSpec> file : parsed) {
            perDirectory.merge(files.directories().get(file.directory()), 1, Integer::sum);
            if (file.content().isEmpty()) {
                broken.add(file.file() + " (" + file.failure() + ")");
            }
            file.content()
                    .filter(spec -> spec.kind().equals(device.kind()))
                    .ifPresent(spec -> ofKind.addAll(spec.devices().keySet()));
        }
        List<String> looked = new ArrayList<>();
        perDirectory.forEach((directory, count) ->
                looked.add(
                        directory
                                + (Files.isDirectory(directory)
                                        ? " (files: " + count + ")"
                                        : " (not there)")));
        throw refused(
                field
                        + ": there is no device "
                        + device
                        + "; looked in "
                        + (looked.isEmpty()
                                ? "no directory, because cdi_spec_dirs is empty"
                                : String.join(", ", looked))
                        + (ofKind.isEmpty()
                                ? "; no file has devices of the kind " + device.kind()
                                : "; known of this kind are " + String.join(", ", ofKind))
                        + (broken.isEmpty()
                                ? ""
                                : "; could not be read: " + String.join(", ", broken)));
    }

    private static PodException refused(String message) {
        return new PodException(ErrorKind.FAILED_PRECONDITION, message);
    }
}
