package io.crema.runtime;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.DNSConfig;
import io.crema.cri.v1.PodSandboxConfig;
import io.crema.runtime.state.Layout;
import io.crema.runtime.state.PodException;
import io.crema.runtime.state.SandboxRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;

/** The files that the containers of a pod share: resolv.conf, hostname and hosts. */
final class SandboxFiles {
    private static final Path HOST_RESOLV_CONF = Path.of("/etc/resolv.conf");
    private static final Path HOST_HOSTS = Path.of("/etc/hosts");
    private static final Path HOST_NAME = Path.of("/proc/sys/kernel/hostname");

    private SandboxFiles() {}

    /** The pod's host name; a pod on the host's network has the host's own. */
    static String hostname(PodSandboxConfig config, boolean hostNetwork) {
        if (!hostNetwork && !config.getHostname().isEmpty()) {
            return config.getHostname();
        }
        if (!hostNetwork) {
            String name = config.getMetadata().getName();
            return name.substring(0, Math.min(name.length(), 63));
        }
        try {
            return Files.readString(HOST_NAME).strip();
        } catch (IOException e) {
            throw new PodException(ErrorKind.INTERNAL, "cannot read " + HOST_NAME + ": " + e, e);
        }
    }

    static void write(
            Layout layout,
            SandboxRecord record,
            PodSandboxConfig config,
            List<String> addresses,
            boolean hostNetwork) {
        try {
            Files.writeString(layout.hostname(record.id()), record.hostname() + "\n");
            Files.writeString(layout.resolvConf(record.id()), resolvConf(config));
            Files.writeString(
                    layout.hosts(record.id()),
                    hostNetwork ? hostFile(HOST_HOSTS) : hosts(record.hostname(), addresses));
        } catch (IOException e) {
            throw new PodException(
                    ErrorKind.INTERNAL,
                    "cannot write the files of pod sandbox " + record.id() + ": " + e,
                    e);
        }
    }

    /** resolv.conf(5) from the DNS configuration; the host's own when the request has none. */
    static String resolvConf(PodSandboxConfig config) throws IOException {
        DNSConfig dns = config.getDnsConfig();
        if (dns.getServersCount() == 0
                && dns.getSearchesCount() == 0
                && dns.getOptionsCount() == 0) {
            return hostFile(HOST_RESOLV_CONF);
        }
        StringBuilder text = new StringBuilder();
        if (dns.getSearchesCount() > 0) {
            text.append("search ").append(String.join(" ", dns.getSearchesList())).append('\n');
        }
        for (String server : dns.getServersList()) {
            text.append("nameserver ").append(server).append('\n');
        }
        if (dns.getOptionsCount() > 0) {
            text.append("options ").append(String.join(" ", dns.getOptionsList())).append('\n');
        }
        return text.toString();
    }

    private static String hosts(String hostname, List<String> addresses) {
        StringBuilder text =
                new StringBuilder("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n");
        for (String address : addresses) {
            text.append(address).append('\t').append(hostname).append('\n');
        }
        return text.toString();
    }

    private static String hostFile(Path file) throws IOException {
        try {
            return Files.readString(file);
        } catch (NoSuchFileException e) {
            return "";
        }
    }
}
