package io.crema.runtime;

import io.crema.cri.v1.NamespaceMode;
import io.crema.cri.v1.NamespaceOption;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.cri.v1.PodSandboxMetadata;
import io.crema.cri.v1.PortMapping;
import io.crema.cri.v1.Protocol;
import io.crema.oci.linux.LinuxNamespaces.NamespaceKind;
import io.crema.runtime.spec.UserMapping;
import io.crema.runtime.state.PodException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;

/** What a PodSandboxConfig may say, and what follows from it. */
final class SandboxRequests {
    /** CRI-O's bound on one label; what is longer fills every list answer. */
    private static final int MAX_LABEL_BYTES = 4096;

    private SandboxRequests() {}

    /**
     * @throws PodException INVALID_ARGUMENT naming the field that cannot be honoured
     */
    static void check(PodSandboxConfig config) {
        if (!config.hasMetadata()) {
            throw PodException.invalid("config.metadata is missing");
        }
        PodSandboxMetadata metadata = config.getMetadata();
        required("config.metadata.name", metadata.getName());
        required("config.metadata.namespace", metadata.getNamespace());
        required("config.metadata.uid", metadata.getUid());
        if (config.hasWindows()) {
            throw PodException.invalid("config.windows is set, but this node runs Linux");
        }
        if (!config.getLogDirectory().isEmpty() && !config.getLogDirectory().startsWith("/")) {
            throw PodException.invalid(
                    "config.log_directory must be absolute: '" + config.getLogDirectory() + "'");
        }
        for (Map.Entry<String, String> label : config.getLabelsMap().entrySet()) {
            if (label.getKey().length() + label.getValue().length() > MAX_LABEL_BYTES) {
                throw PodException.invalid(
                        "config.labels: key and value of '"
                                + label.getKey().substring(0, Math.min(64, label.getKey().length()))
                                + "' are longer than "
                                + MAX_LABEL_BYTES
                                + " bytes together");
            }
        }
        for (PortMapping mapping : config.getPortMappingsList()) {
            checkPort(mapping);
        }
        checkNamespaces(namespaces(config));
        if (config.getHostname().length() > 64) {
            throw PodException.invalid(
                    "config.hostname is longer than the 64 characters Linux allows: '"
                            + config.getHostname()
                            + "'");
        }
    }

    static NamespaceOption namespaces(PodSandboxConfig config) {
        return config.getLinux().getSecurityContext().getNamespaceOptions();
    }

    /** The namespaces that the pod owns and that are pinned for it. */
    static Set<NamespaceKind> pinned(PodSandboxConfig config) {
        NamespaceOption options = namespaces(config);
        Set<NamespaceKind> kinds = EnumSet.noneOf(NamespaceKind.class);
        if (options.getNetwork() == NamespaceMode.POD) {
            kinds.add(NamespaceKind.NETWORK);
            kinds.add(NamespaceKind.UTS);
        }
        if (options.getIpc() != NamespaceMode.NODE) {
            kinds.add(NamespaceKind.IPC);
        }
        if (UserMapping.of(options).isPresent()) {
            kinds.add(NamespaceKind.USER);
        }
        return kinds;
    }

    private static void checkNamespaces(NamespaceOption options) {
        switch (options.getNetwork()) {
            case POD, NODE -> {}
            case CONTAINER, TARGET ->
                    throw PodException.invalid(
                            "namespace_options.network must be POD or NODE, not "
                                    + options.getNetwork());
            case UNRECOGNIZED -> throw unknown("network", options.getNetworkValue());
        }
        switch (options.getPid()) {
            case POD, NODE, CONTAINER -> {}
            case TARGET ->
                    throw PodException.invalid(
                            "namespace_options.pid of a pod sandbox must not be TARGET; it is for"
                                    + " containers");
            case UNRECOGNIZED -> throw unknown("pid", options.getPidValue());
        }
        switch (options.getIpc()) {
            case POD, NODE, CONTAINER -> {}
            case TARGET -> throw PodException.invalid("namespace_options.ipc must not be TARGET");
            case UNRECOGNIZED -> throw unknown("ipc", options.getIpcValue());
        }
        var _ = UserMapping.of(options);
    }

    private static void checkPort(PortMapping mapping) {
        if (mapping.getProtocol() == Protocol.UNRECOGNIZED) {
            throw PodException.invalid(
                    "port_mappings: unknown protocol number " + mapping.getProtocolValue());
        }
        if (!mapping.getHostIp().isEmpty() && !isAddress(mapping.getHostIp())) {
            throw PodException.invalid(
                    "port_mappings: host_ip must be an address, not '" + mapping.getHostIp() + "'");
        }
        if (mapping.getHostPort() < 0 || mapping.getHostPort() > 65535) {
            throw PodException.invalid(
                    "port_mappings: host_port must be 0 to 65535, not " + mapping.getHostPort());
        }
        if (mapping.getHostPort() != 0
                && (mapping.getContainerPort() < 1 || mapping.getContainerPort() > 65535)) {
            throw PodException.invalid(
                    "port_mappings: container_port must be 1 to 65535, not "
                            + mapping.getContainerPort());
        }
    }

    /** In one of the usual forms; looks up no name. */
    private static boolean isAddress(String text) {
        try {
            if (text.indexOf(':') < 0) {
                // Java also knows forms of one to three numbers.
                return text.chars().filter(character -> character == '.').count() == 3
                        && Inet4Address.ofLiteral(text).getHostAddress().equals(text);
            }
            InetAddress.ofLiteral(text);
            return text.indexOf('%') < 0;
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private static PodException unknown(String field, int number) {
        return PodException.invalid(
                "namespace_options." + field + ": unknown mode number " + number);
    }

    private static void required(String field, String value) {
        if (value.isEmpty()) {
            throw PodException.invalid(field + " is empty");
        }
    }
}
