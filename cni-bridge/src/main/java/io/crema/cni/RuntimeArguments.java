package io.crema.cni;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.ErrorKind;
import io.crema.base.PodSandboxId;
import io.crema.cni.PodNetworks.Attachment;
import io.crema.cni.PodNetworks.HostPort;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * What the runtime tells plugins about one attachment, beside the network's configuration.
 *
 * @param netns the path of the network namespace; empty in DEL when it is gone
 * @param cniArgs CNI_ARGS in order
 * @param capabilityArgs capability → its value in runtimeConfig
 * @param subject the pod in words, for error messages
 */
record RuntimeArguments(
        String containerId,
        String ifName,
        String netns,
        Map<String, String> cniArgs,
        ObjectNode capabilityArgs,
        String subject) {
    /** The pod's one interface; additional networks are a meta plugin's business. */
    static final String IF_NAME = "eth0";

    static final String POD_NAMESPACE = "K8S_POD_NAMESPACE";
    static final String POD_NAME = "K8S_POD_NAME";
    static final String POD_UID = "K8S_POD_UID";

    /** Collects what the network's plugins ask for; what no plugin wants is not even parsed. */
    static RuntimeArguments of(
            Attachment attachment, Optional<Path> namespace, NetworkConfiguration network) {
        return new RuntimeArguments(
                attachment.sandbox().value(),
                IF_NAME,
                namespace.map(Path::toString).orElse(""),
                cniArgs(attachment),
                capabilityArgs(attachment, network),
                subject(
                        attachment.podNamespace(),
                        attachment.podName(),
                        attachment.sandbox().value()));
    }

    static String subject(String podNamespace, String podName, String containerId) {
        return "pod " + podNamespace + "/" + podName + " (sandbox " + containerId + ")";
    }

    /** CNI_ARGS as the environment variable has them. */
    String cniArgsText() {
        StringBuilder text = new StringBuilder();
        for (Map.Entry<String, String> argument : cniArgs.entrySet()) {
            text.append(text.isEmpty() ? "" : ";")
                    .append(argument.getKey())
                    .append('=')
                    .append(argument.getValue());
        }
        return text.toString();
    }

    private static Map<String, String> cniArgs(Attachment attachment) {
        PodSandboxId sandbox = attachment.sandbox();
        Map<String, String> args = new LinkedHashMap<>();
        args.put("IgnoreUnknown", "1");
        args.put(POD_NAMESPACE, attachment.podNamespace());
        args.put(POD_NAME, attachment.podName());
        args.put("K8S_POD_INFRA_CONTAINER_ID", sandbox.value());
        args.put(POD_UID, attachment.podUid());
        for (Map.Entry<String, String> argument : args.entrySet()) {
            // A separator inside a value would let a pod's name smuggle in arguments of its own.
            if (argument.getValue().indexOf(';') >= 0 || argument.getValue().indexOf('\0') >= 0) {
                throw new NetworkException(
                        ErrorKind.INVALID_ARGUMENT,
                        "sandbox "
                                + sandbox
                                + ": "
                                + argument.getKey()
                                + " must not contain ';': '"
                                + argument.getValue()
                                + "'");
            }
        }
        return args;
    }

    private static ObjectNode capabilityArgs(Attachment attachment, NetworkConfiguration network) {
        ObjectNode args = Json.object();
        if (network.wants("portMappings")) {
            ArrayNode mappings = portMappings(attachment.hostPorts());
            if (!mappings.isEmpty()) {
                args.set("portMappings", mappings);
            }
        }
        if (network.wants("bandwidth")) {
            Bandwidth.of(attachment.annotations())
                    .ifPresent(bandwidth -> args.set("bandwidth", bandwidth));
        }
        PodNetworks.Dns dns = attachment.dns();
        if (network.wants("dns")
                && !(dns.servers().isEmpty()
                        && dns.searches().isEmpty()
                        && dns.options().isEmpty())) {
            ObjectNode value = args.putObject("dns");
            putAll(value.putArray("servers"), dns.servers());
            putAll(value.putArray("searches"), dns.searches());
            putAll(value.putArray("options"), dns.options());
        }
        String annotations = "io.kubernetes.cri.pod-annotations";
        if (network.wants(annotations) && !attachment.annotations().isEmpty()) {
            ObjectNode value = args.putObject(annotations);
            attachment.annotations().forEach(value::put);
        }
        if (network.wants("cgroupPath") && !attachment.cgroupParent().isEmpty()) {
            args.put("cgroupPath", attachment.cgroupParent());
        }
        return args;
    }

    private static ArrayNode portMappings(List<HostPort> hostPorts) {
        ArrayNode mappings = Json.array();
        for (HostPort port : hostPorts) {
            if (port.hostPort() == 0) {
                continue;
            }
            ObjectNode mapping =
                    mappings.addObject()
                            .put("hostPort", port.hostPort())
                            .put("containerPort", port.containerPort())
                            .put("protocol", port.protocol().toLowerCase(Locale.ROOT));
            if (!port.hostAddress().isEmpty()) {
                mapping.put("hostIP", port.hostAddress());
            }
        }
        return mappings;
    }

    private static void putAll(ArrayNode array, List<String> values) {
        for (String value : values) {
            array.add(value);
        }
    }
}
