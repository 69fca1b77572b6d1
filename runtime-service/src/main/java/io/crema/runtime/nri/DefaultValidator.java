package io.crema.runtime.nri;

import io.crema.base.ErrorKind;
import io.crema.conf.NriValidatorConfiguration;
import io.crema.nri.v1alpha1.CompoundFieldOwners;
import io.crema.nri.v1alpha1.Field;
import io.crema.nri.v1alpha1.FieldOwners;
import io.crema.nri.v1alpha1.SecurityProfile;
import io.crema.nri.v1alpha1.ValidateContainerAdjustmentRequest;
import io.crema.runtime.state.PodException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** Holds plugins to what the configuration lets them do ({@code crio.nri.default_validator}). */
public final class DefaultValidator {
    /** Of a pod, or of one of its containers: further plugins that must be there. */
    private static final String REQUIRED_PLUGINS = "required-plugins.noderesource.dev";

    private final NriValidatorConfiguration configuration;

    public DefaultValidator(NriValidatorConfiguration configuration) {
        this.configuration = configuration;
    }

    public boolean isEnabled() {
        return configuration.enabled();
    }

    /**
     * Refuses a container while plugins are missing that must see it. To be asked also when no
     * plugin is there at all.
     *
     * @param annotations of the pod
     * @param container its name
     * @param plugins the names, without the index, of those that were asked
     * @throws PodException FAILED_PRECONDITION naming those that are missing
     */
    public void requirePlugins(
            Map<String, String> annotations, String container, Collection<String> plugins) {
        if (!configuration.enabled()) {
            return;
        }
        Set<String> missing = new LinkedHashSet<>(configuration.requiredPlugins());
        effective(annotations, REQUIRED_PLUGINS, container)
                .ifPresent(value -> missing.addAll(names(value)));
        missing.removeAll(plugins);
        if (!missing.isEmpty() && !tolerates(annotations, container)) {
            throw new PodException(
                    ErrorKind.FAILED_PRECONDITION,
                    "container "
                            + container
                            + " needs NRI plugins that are not connected: "
                            + String.join(", ", missing)
                            + " (nri_validator_required_plugins and the pod's annotation "
                            + REQUIRED_PLUGINS
                            + ")");
        }
    }

    private boolean tolerates(Map<String, String> annotations, String container) {
        String name = configuration.tolerateMissingPluginsAnnotation();
        if (name.isEmpty()) {
            return false;
        }
        Optional<String> value = effective(annotations, name, container);
        if (value.isEmpty()) {
            return false;
        }
        return switch (value.get()) {
            case "1", "t", "T", "true", "True", "TRUE" -> true;
            case "0", "f", "F", "false", "False", "FALSE" -> false;
            default ->
                    throw PodException.invalid(
                            "annotations: "
                                    + name
                                    + " must be true or false, not '"
                                    + value.get()
                                    + "'");
        };
    }

    /** The one for the container, or else the one for the pod. */
    private static Optional<String> effective(
            Map<String, String> annotations, String name, String container) {
        for (String key : List.of(name + "/container." + container, name + "/pod", name)) {
            String value = annotations.get(key);
            if (value != null) {
                return Optional.of(value);
            }
        }
        return Optional.empty();
    }

    /** A YAML list of plain words: [a, b], or one line with a dash for each. */
    private static List<String> names(String value) {
        String text = value.strip();
        boolean isFlow = text.startsWith("[") && text.endsWith("]");
        String[] parts =
                isFlow ? text.substring(1, text.length() - 1).split(",", -1) : text.split("\n", -1);
        List<String> names = new ArrayList<>();
        for (String part : parts) {
            String name = part.strip();
            if (name.isEmpty()) {
                continue;
            }
            if (!isFlow) {
                if (!name.startsWith("-")) {
                    throw notAList(value);
                }
                name = name.substring(1).strip();
            }
            names.add(unquoted(name, value));
        }
        return names;
    }

    private static String unquoted(String name, String value) {
        char first = name.isEmpty() ? ' ' : name.charAt(0);
        boolean isQuoted =
                name.length() >= 2
                        && (first == '"' || first == '\'')
                        && name.charAt(name.length() - 1) == first;
        String plain = isQuoted ? name.substring(1, name.length() - 1) : name;
        for (int i = 0; i < plain.length(); i++) {
            char character = plain.charAt(i);
            if (!Character.isLetterOrDigit(character) && "-_.".indexOf(character) < 0) {
                throw notAList(value);
            }
        }
        if (plain.isEmpty()) {
            throw notAList(value);
        }
        return plain;
    }

    private static PodException notAList(String value) {
        return PodException.invalid(
                "annotations: "
                        + REQUIRED_PLUGINS
                        + " must be a list of plugins' names such as [a, b], not '"
                        + value
                        + "'");
    }

    /**
     * @throws PodException FAILED_PRECONDITION naming plugin and field
     */
    public void check(ValidateContainerAdjustmentRequest request) {
        if (!configuration.enabled()) {
            return;
        }
        FieldOwners owners =
                request.getOwners()
                        .getOwnersOrDefault(
                                request.getContainer().getId(), FieldOwners.getDefaultInstance());
        String hooks = owners.getSimpleOrDefault(Field.OciHooks.getNumber(), "");
        if (configuration.rejectOciHooks() && !hooks.isEmpty()) {
            throw rejected(request, hooks, Field.OciHooks, "", "reject_oci_hook");
        }
        seccomp(request, owners);
        if (configuration.rejectNamespaces()) {
            new TreeMap<>(
                            owners.getCompoundOrDefault(
                                            Field.Namespace.getNumber(),
                                            CompoundFieldOwners.getDefaultInstance())
                                    .getOwnersMap())
                    .forEach((type, plugin) -> {
                        throw rejected(request, plugin, Field.Namespace, type, "reject_namespace");
                    });
        }
    }

    private void seccomp(ValidateContainerAdjustmentRequest request, FieldOwners owners) {
        String plugin = owners.getSimpleOrDefault(Field.SeccompPolicy.getNumber(), "");
        if (plugin.isEmpty()) {
            return;
        }
        SecurityProfile.ProfileType before =
                request.getContainer().getLinux().hasSeccompProfile()
                        ? request.getContainer().getLinux().getSeccompProfile().getProfileType()
                        : SecurityProfile.ProfileType.UNCONFINED;
        switch (before) {
            case RUNTIME_DEFAULT -> {
                if (configuration.rejectRuntimeDefaultSeccomp()) {
                    throw rejected(
                            request,
                            plugin,
                            Field.SeccompPolicy,
                            "",
                            "reject_runtime_default_seccomp");
                }
            }
            case LOCALHOST -> {
                if (configuration.rejectCustomSeccomp()) {
                    throw rejected(
                            request, plugin, Field.SeccompPolicy, "", "reject_custom_seccomp");
                }
            }
            case UNCONFINED, UNRECOGNIZED -> {
                if (configuration.rejectUnconfinedSeccomp()) {
                    throw rejected(
                            request, plugin, Field.SeccompPolicy, "", "reject_unconfined_seccomp");
                }
            }
        }
    }

    private static PodException rejected(
            ValidateContainerAdjustmentRequest request,
            String plugin,
            Field field,
            String entry,
            String option) {
        return new PodException(
                ErrorKind.FAILED_PRECONDITION,
                "NRI plugin "
                        + (plugin.startsWith("-") ? plugin.substring(1) : plugin)
                        + " may not change "
                        + FieldNames.of(field, entry)
                        + " of container "
                        + request.getContainer().getId()
                        + " (nri_validator_"
                        + option
                        + "_adjustment)");
    }
}
