package io.crema.runtime.cdi;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import io.crema.oci.spec.LinuxSpec.IntelRdt;
import io.crema.oci.spec.RuntimeSpec.Hook;
import io.crema.oci.spec.RuntimeSpec.Mount;
import io.crema.runtime.cdi.ContainerEdits.DeviceNode;
import io.crema.runtime.cdi.ContainerEdits.NamedHook;
import io.crema.runtime.cdi.ContainerEdits.NetDevice;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reads CDI specifications (cncf-tags/container-device-interface, SPEC.md) of every version up to
 * 1.1, as JSON or YAML. A field that it does not know is refused: its effect would be lost.
 */
final class CdiReader {
    private static final Set<String> VERSIONS =
            Set.of(
                    "0.1.0", "0.2.0", "0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0",
                    "1.1.0");
    private static final Set<String> STAGES =
            Set.of(
                    "prestart",
                    "createRuntime",
                    "createContainer",
                    "startContainer",
                    "poststart",
                    "poststop");

    /** Made when the first YAML file is met: the parser is most of what CDI costs in memory. */
    private static final class Yaml {
        static final ObjectMapper MAPPER = new ObjectMapper(new YAMLFactory());
    }

    private static final ObjectMapper JSON = new ObjectMapper();

    private CdiReader() {}

    /**
     * @throws IllegalArgumentException when this is not a specification whose every part we know
     */
    static CdiSpec read(Path file, byte[] content) throws IOException {
        boolean isJson = file.getFileName().toString().endsWith(".json");
        JsonNode root = (isJson ? JSON : Yaml.MAPPER).readTree(content);
        fields("", root, Set.of("cdiVersion", "kind", "annotations", "devices", "containerEdits"));
        String version = text(root, "cdiVersion");
        if (!VERSIONS.contains(version.startsWith("v") ? version.substring(1) : version)) {
            throw new IllegalArgumentException(
                    "cdiVersion '" + version + "' is not known; the newest known is 1.1.0");
        }
        String kind = text(root, "kind");
        CdiDevice.checkKind(kind);
        Map<String, ContainerEdits> devices = new HashMap<>();
        int i = 0;
        for (JsonNode device : list(root, "devices")) {
            String field = "devices[" + i++ + "]";
            fields(field, device, Set.of("name", "annotations", "containerEdits"));
            String name = text(device, "name");
            CdiDevice.checkName(name);
            ContainerEdits edits = edits(field + ".containerEdits", device.path("containerEdits"));
            if (devices.put(name, edits) != null) {
                throw new IllegalArgumentException(field + ": a second device " + name);
            }
        }
        if (devices.isEmpty()) {
            throw new IllegalArgumentException("devices is empty");
        }
        return new CdiSpec(kind, edits("containerEdits", root.path("containerEdits")), devices);
    }

    private static ContainerEdits edits(String field, JsonNode node) {
        fields(
                field,
                node,
                Set.of(
                        "env",
                        "deviceNodes",
                        "netDevices",
                        "mounts",
                        "hooks",
                        "additionalGids",
                        "intelRdt"));
        List<String> environment = texts(field, node, "env");
        for (String entry : environment) {
            if (entry.indexOf('=') <= 0) {
                throw new IllegalArgumentException(
                        field + ".env must hold NAME=value, not '" + entry + "'");
            }
        }
        List<DeviceNode> deviceNodes = new ArrayList<>();
        for (JsonNode one : list(node, "deviceNodes")) {
            deviceNodes.add(deviceNode(field + ".deviceNodes", one));
        }
        List<NetDevice> netDevices = new ArrayList<>();
        for (JsonNode one : list(node, "netDevices")) {
            fields(field + ".netDevices", one, Set.of("hostInterfaceName", "name"));
            netDevices.add(
                    new NetDevice(required(field, one, "hostInterfaceName"), text(one, "name")));
        }
        List<Mount> mounts = new ArrayList<>();
        for (JsonNode one : list(node, "mounts")) {
            mounts.add(mount(field + ".mounts", one));
        }
        List<NamedHook> hooks = new ArrayList<>();
        for (JsonNode one : list(node, "hooks")) {
            hooks.add(hook(field + ".hooks", one));
        }
        List<Long> gids = new ArrayList<>();
        for (JsonNode one : list(node, "additionalGids")) {
            gids.add(number(field + ".additionalGids", one));
        }
        JsonNode rdt = node.path("intelRdt");
        return new ContainerEdits(
                environment,
                deviceNodes,
                netDevices,
                mounts,
                hooks,
                gids,
                rdt.isMissingNode() || rdt.isNull() ? null : intelRdt(field + ".intelRdt", rdt));
    }

    private static DeviceNode deviceNode(String field, JsonNode node) {
        fields(
                field,
                node,
                Set.of(
                        "path",
                        "hostPath",
                        "type",
                        "major",
                        "minor",
                        "fileMode",
                        "permissions",
                        "uid",
                        "gid"));
        String type = text(node, "type");
        if (!Set.of("", "b", "c", "u", "p").contains(type)) {
            throw new IllegalArgumentException(
                    field + ".type must be b, c, u or p, not '" + type + "'");
        }
        String permissions = text(node, "permissions");
        for (int i = 0; i < permissions.length(); i++) {
            if ("rwm".indexOf(permissions.charAt(i)) < 0) {
                throw new IllegalArgumentException(
                        field + ".permissions must be of r, w and m, not '" + permissions + "'");
            }
        }
        Long mode = optionalNumber(field + ".fileMode", node, "fileMode");
        return new DeviceNode(
                absolute(field, node, "path"),
                text(node, "hostPath"),
                type,
                optionalNumber(field + ".major", node, "major"),
                optionalNumber(field + ".minor", node, "minor"),
                mode == null ? null : mode.intValue(),
                permissions,
                optionalNumber(field + ".uid", node, "uid"),
                optionalNumber(field + ".gid", node, "gid"));
    }

    private static Mount mount(String field, JsonNode node) {
        fields(field, node, Set.of("hostPath", "containerPath", "type", "options"));
        String type = text(node, "type");
        return new Mount(
                absolute(field, node, "containerPath"),
                type.isEmpty() ? null : type,
                required(field, node, "hostPath"),
                texts(field, node, "options"),
                List.of(),
                List.of());
    }

    private static NamedHook hook(String field, JsonNode node) {
        fields(field, node, Set.of("hookName", "path", "args", "env", "timeout"));
        String stage = required(field, node, "hookName");
        if (!STAGES.contains(stage)) {
            throw new IllegalArgumentException(
                    field + ".hookName: '" + stage + "' is none of " + STAGES);
        }
        Long timeout = optionalNumber(field + ".timeout", node, "timeout");
        return new NamedHook(
                stage,
                new Hook(
                        absolute(field, node, "path"),
                        texts(field, node, "args"),
                        texts(field, node, "env"),
                        timeout == null ? null : timeout.intValue()));
    }

    private static IntelRdt intelRdt(String field, JsonNode node) {
        fields(
                field,
                node,
                Set.of(
                        "closID",
                        "schemata",
                        "l3CacheSchema",
                        "memBwSchema",
                        "enableCMT",
                        "enableMBM",
                        "enableMonitoring"));
        return new IntelRdt(
                orNull(text(node, "closID")),
                texts(field, node, "schemata"),
                orNull(text(node, "l3CacheSchema")),
                orNull(text(node, "memBwSchema")),
                flag(node, "enableCMT"),
                flag(node, "enableMBM"),
                flag(node, "enableMonitoring"));
    }

    private static void fields(String field, JsonNode node, Set<String> known) {
        if (node.isMissingNode() || node.isNull()) {
            return;
        }
        if (!node.isObject()) {
            throw new IllegalArgumentException(
                    (field.isEmpty() ? "it" : field) + " is not an object");
        }
        for (Iterator<String> names = node.fieldNames(); names.hasNext(); ) {
            String name = names.next();
            if (!known.contains(name)) {
                throw new IllegalArgumentException(
                        (field.isEmpty() ? "" : field + ".") + name + " is not a known field");
            }
        }
    }

    private static List<JsonNode> list(JsonNode node, String name) {
        JsonNode found = node.path(name);
        List<JsonNode> entries = new ArrayList<>();
        if (found.isMissingNode() || found.isNull()) {
            return entries;
        }
        if (!found.isArray()) {
            throw new IllegalArgumentException(name + " must be a list");
        }
        found.forEach(entries::add);
        return entries;
    }

    private static List<String> texts(String field, JsonNode node, String name) {
        List<String> texts = new ArrayList<>();
        for (JsonNode one : list(node, name)) {
            if (!one.isValueNode()) {
                throw new IllegalArgumentException(field + "." + name + " must be a list of texts");
            }
            texts.add(one.asText());
        }
        return texts;
    }

    private static String text(JsonNode node, String name) {
        return node.path(name).asText("");
    }

    private static String required(String field, JsonNode node, String name) {
        String value = text(node, name);
        if (value.isEmpty()) {
            throw new IllegalArgumentException(field + "." + name + " is missing");
        }
        return value;
    }

    private static String absolute(String field, JsonNode node, String name) {
        String value = required(field, node, name);
        if (!value.startsWith("/")) {
            throw new IllegalArgumentException(
                    field + "." + name + " is not absolute: '" + value + "'");
        }
        return value;
    }

    private static long number(String field, JsonNode node) {
        if (!node.canConvertToLong() || !node.isIntegralNumber()) {
            throw new IllegalArgumentException(field + " must be a number, not " + node);
        }
        return node.longValue();
    }

    private static @Nullable Long optionalNumber(String field, JsonNode node, String name) {
        JsonNode found = node.path(name);
        return found.isMissingNode() || found.isNull() ? null : Long.valueOf(number(field, found));
    }

    private static @Nullable Boolean flag(JsonNode node, String name) {
        JsonNode found = node.path(name);
        return found.isBoolean() ? Boolean.valueOf(found.booleanValue()) : null;
    }

    private static @Nullable String orNull(String text) {
        return text.isEmpty() ? null : text;
    }
}
