package io.crema.cni;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;

/** What an ADD printed (CNI specification 1.1, section 5; 0.3.0 and later have this shape). */
record CniResult(ObjectNode json) {
    static CniResult read(byte[] stdout) throws IOException {
        return new CniResult(Json.readObject(stdout));
    }

    /**
     * The result as plugins of a configuration of this version expect it in prevResult. Plugins
     * that answer in another version than they were asked in are rare; the shapes differ in one
     * field.
     */
    ObjectNode inVersion(CniVersion version) {
        ObjectNode converted = json.deepCopy();
        converted.put("cniVersion", version.toString());
        if (version.namesAddressFamilies()) {
            for (JsonNode ip : converted.path("ips")) {
                if (ip instanceof ObjectNode address && !address.has("version")) {
                    boolean isV6 = address.path("address").asText().indexOf(':') >= 0;
                    address.put("version", isV6 ? "6" : "4");
                }
            }
        }
        return converted;
    }

    /**
     * The pod's addresses in the plugins' order: those on an interface inside the sandbox, or on
     * none named at all.
     *
     * @throws IOException when one is not an address
     */
    List<InetAddress> addresses() throws IOException {
        List<InetAddress> addresses = new ArrayList<>();
        for (JsonNode ip : json.path("ips")) {
            if (isInSandbox(ip)) {
                addresses.add(address(ip.path("address").asText()));
            }
        }
        return addresses;
    }

    private boolean isInSandbox(JsonNode ip) {
        JsonNode index = ip.path("interface");
        JsonNode interfaces = json.path("interfaces");
        if (!index.isInt() || !interfaces.has(index.intValue())) {
            return true;
        }
        return !interfaces.get(index.intValue()).path("sandbox").asText().isEmpty();
    }

    private static InetAddress address(String text) throws IOException {
        int slash = text.indexOf('/');
        try {
            return InetAddress.ofLiteral(slash < 0 ? text : text.substring(0, slash));
        } catch (IllegalArgumentException e) {
            throw new IOException("'" + text + "' is not an IP address", e);
        }
    }
}
