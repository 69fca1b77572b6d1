package io.crema.image.registry;

import io.crema.base.ErrorKind;
import io.crema.image.ImageException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Proxy;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/**
 * Proxies as the environment names them: HTTP_PROXY, HTTPS_PROXY and NO_PROXY in either case.
 * Loopback is never proxied. NO_PROXY holds hosts (which cover their subdomains), {@code .domain},
 * addresses, CIDR ranges, each with an optional port, or {@code *}.
 */
final class EnvironmentProxies {
    /** One proxy; authorization is a header value, empty for none. */
    private record HttpProxy(InetSocketAddress address, String authorization) {}

    /** One element of NO_PROXY; port 0 stands for any, prefix bits -1 for a host name. */
    private record Bypass(String host, byte[] network, int prefixBits, int port) {}

    private final Optional<HttpProxy> forHttp;
    private final Optional<HttpProxy> forHttps;
    private final boolean none;
    private final List<Bypass> bypasses = new ArrayList<>();

    /**
     * @throws ImageException INVALID_ARGUMENT for a proxy that is not of the form
     *     http://[user:password@]host:port
     */
    EnvironmentProxies(Map<String, String> environment) {
        forHttp = proxy("HTTP_PROXY", environment);
        forHttps = proxy("HTTPS_PROXY", environment);
        String list = value("NO_PROXY", environment);
        boolean all = false;
        for (String element : list.split(",", -1)) {
            String bare = element.strip().toLowerCase(Locale.ROOT);
            if (bare.equals("*")) {
                all = true;
            } else if (!bare.isEmpty()) {
                bypasses.add(bypass(bare));
            }
        }
        none = all;
    }

    private static String value(String name, Map<String, String> environment) {
        String lower = environment.getOrDefault(name.toLowerCase(Locale.ROOT), "");
        return lower.isEmpty() ? environment.getOrDefault(name, "") : lower;
    }

    private static Optional<HttpProxy> proxy(String name, Map<String, String> environment) {
        String value = value(name, environment).strip();
        if (value.isEmpty()) {
            return Optional.empty();
        }
        URI uri;
        try {
            uri = new URI(value.contains("://") ? value : "http://" + value);
        } catch (URISyntaxException e) {
            throw unusable(name, "is not a URL");
        }
        if (!"http".equals(uri.getScheme())) {
            throw unusable(name, "has scheme '" + uri.getScheme() + "'; only http works");
        }
        if (uri.getHost() == null) {
            throw unusable(name, "has no host");
        }
        int port = uri.getPort() < 0 ? 80 : uri.getPort();
        String user = uri.getUserInfo();
        String authorization =
                user == null
                        ? ""
                        : "Basic "
                                + Base64.getEncoder()
                                        .encodeToString(user.getBytes(StandardCharsets.UTF_8));
        return Optional.of(
                new HttpProxy(
                        InetSocketAddress.createUnresolved(bareHost(uri.getHost()), port),
                        authorization));
    }

    private static ImageException unusable(String name, String problem) {
        return new ImageException(
                ErrorKind.INVALID_ARGUMENT,
                "environment variable "
                        + name
                        + " "
                        + problem
                        + "; set it to http://host:port or unset it");
    }

    private static Bypass bypass(String element) {
        String host = element;
        int port = 0;
        int colon = host.lastIndexOf(':');
        boolean bracketed = host.startsWith("[");
        if (colon > 0 && (bracketed ? host.charAt(colon - 1) == ']' : host.indexOf(':') == colon)) {
            try {
                port = Integer.parseInt(host, colon + 1, host.length(), 10);
                host = host.substring(0, colon);
            } catch (NumberFormatException e) {
                // Then it is no port, and as a host it matches nothing.
                port = 0;
            }
        }
        host = bareHost(host);
        int slash = host.indexOf('/');
        String address = slash < 0 ? host : host.substring(0, slash);
        byte[] network = literal(address);
        if (network.length > 0) {
            int bits = network.length * 8;
            if (slash >= 0) {
                try {
                    bits =
                            Math.clamp(
                                    Integer.parseInt(host, slash + 1, host.length(), 10), 0, bits);
                } catch (NumberFormatException e) {
                    return new Bypass(host, new byte[0], -1, port);
                }
            }
            return new Bypass(host, network, bits, port);
        }
        return new Bypass(host.startsWith(".") ? host.substring(1) : host, new byte[0], -1, port);
    }

    /** Without the brackets of an IPv6 address. */
    static String bareHost(String host) {
        return host.startsWith("[") && host.endsWith("]")
                ? host.substring(1, host.length() - 1)
                : host;
    }

    /** The bytes of an address literal; empty for a name, which is never looked up. */
    static byte[] literal(String host) {
        try {
            return InetAddress.ofLiteral(host).getAddress();
        } catch (IllegalArgumentException e) {
            return new byte[0];
        }
    }

    /** The Proxy-Authorization header for a request, empty for none. */
    String authorization(URI uri) {
        return proxyOf(uri).map(HttpProxy::authorization).orElse("");
    }

    private Optional<HttpProxy> proxyOf(URI uri) {
        Optional<HttpProxy> proxy = "https".equals(uri.getScheme()) ? forHttps : forHttp;
        return proxy.isEmpty() || none || isExcepted(uri) ? Optional.empty() : proxy;
    }

    private boolean isExcepted(URI uri) {
        String host = bareHost(String.valueOf(uri.getHost())).toLowerCase(Locale.ROOT);
        if (host.equals("localhost")) {
            return true;
        }
        byte[] address = literal(host);
        if (address.length > 0 && isLoopback(address)) {
            return true;
        }
        int port = uri.getPort() >= 0 ? uri.getPort() : "https".equals(uri.getScheme()) ? 443 : 80;
        for (Bypass bypass : bypasses) {
            if (bypass.port != 0 && bypass.port != port) {
                continue;
            }
            boolean matches =
                    bypass.prefixBits >= 0
                            ? isInside(address, bypass.network, bypass.prefixBits)
                            : host.equals(bypass.host) || host.endsWith("." + bypass.host);
            if (matches) {
                return true;
            }
        }
        return false;
    }

    private static boolean isLoopback(byte[] address) {
        try {
            return InetAddress.getByAddress(address).isLoopbackAddress();
        } catch (UnknownHostException e) {
            throw new IllegalStateException("an address has 4 or 16 bytes", e);
        }
    }

    private static boolean isInside(byte[] address, byte[] network, int bits) {
        if (address.length != network.length) {
            return false;
        }
        for (int i = 0; i < bits; i++) {
            int mask = 0x80 >> (i % 8);
            if ((address[i / 8] & mask) != (network[i / 8] & mask)) {
                return false;
            }
        }
        return true;
    }

    /** The proxy for a URL, its host not yet looked up, or {@link Proxy#NO_PROXY}. */
    Proxy select(URI uri) {
        return proxyOf(uri)
                .map(proxy -> new Proxy(Proxy.Type.HTTP, proxy.address))
                .orElse(Proxy.NO_PROXY);
    }
}
