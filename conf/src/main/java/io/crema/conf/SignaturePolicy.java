package io.crema.conf;

import io.crema.conf.SignatureRequirement.AcceptAnything;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Whose images are accepted (containers-policy.json(5)): for every image a list of requirements,
 * all of which must hold.
 *
 * @param source the file, for messages
 * @param otherwise for everything that no scope covers
 * @param transports by transport, then by scope
 */
public record SignaturePolicy(
        String source,
        List<SignatureRequirement> otherwise,
        Map<String, Map<String, List<SignatureRequirement>>> transports) {
    /** The file that all tools of this family share. */
    public static final Path SYSTEM_FILE = Path.of("/etc/containers/policy.json");

    private static final long MAX_FILE_BYTES = 1024 * 1024;

    public SignaturePolicy {
        otherwise = List.copyOf(otherwise);
        Map<String, Map<String, List<SignatureRequirement>>> copy = new HashMap<>();
        transports.forEach((transport, scopes) -> {
            Map<String, List<SignatureRequirement>> ofTransport = new HashMap<>();
            scopes.forEach((scope, list) -> ofTransport.put(scope, List.copyOf(list)));
            copy.put(transport, Map.copyOf(ofTransport));
        });
        transports = Map.copyOf(copy);
    }

    /** Asks nothing of any image. */
    public static SignaturePolicy acceptAll(String source) {
        return new SignaturePolicy(source, List.of(new AcceptAnything()), Map.of());
    }

    /**
     * Reads the configured file or the system's. Without either, every image is accepted; a file
     * that the configuration names must exist.
     *
     * @throws ConfigurationException when it cannot be read or asks for what cannot be verified
     */
    public static SignaturePolicy read(ImageSettings settings) {
        return read(
                settings.signaturePolicy().orElse(SYSTEM_FILE),
                settings.signaturePolicy().isEmpty());
    }

    /**
     * The policy that a namespace has of its own, in {@code signature_policy_dir}; empty for none.
     *
     * @throws ConfigurationException when it cannot be read or asks for what cannot be verified
     */
    public static Optional<SignaturePolicy> ofNamespace(ImageSettings settings, String namespace) {
        // Names of namespaces are DNS labels; nothing else leads to a file.
        if (namespace.isEmpty() || namespace.indexOf('/') >= 0 || namespace.indexOf('\0') >= 0) {
            return Optional.empty();
        }
        Path file = settings.signaturePolicyDirectory().resolve(namespace + ".json");
        // Only a policy that is certainly not there is none: a dangling link or an error of the
        // disk
        // must not let images in.
        return Files.notExists(file, LinkOption.NOFOLLOW_LINKS)
                ? Optional.empty()
                : Optional.of(read(file, false));
    }

    static SignaturePolicy read(Path file, boolean mayBeMissing) {
        try {
            if (Files.size(file) > MAX_FILE_BYTES) {
                throw problem(file.toString(), "larger than " + ByteSize.format(MAX_FILE_BYTES));
            }
            return parse(file.toString(), Files.readString(file));
        } catch (NoSuchFileException e) {
            if (mayBeMissing) {
                return acceptAll("no policy.json");
            }
            throw problem(file.toString(), "there is no such file");
        } catch (IOException e) {
            throw problem(file.toString(), "cannot be read: " + e);
        }
    }

    static SignaturePolicy parse(String source, String text) {
        return SignaturePolicyReader.parse(source, text);
    }

    private static ConfigurationException problem(String source, String what) {
        return new ConfigurationException(List.of(source + ": " + what));
    }

    /**
     * What is asked of an image of a registry. The most special scope wins: the name with its tag
     * or digest, the repository, each path above it, the registry, {@code *.} and each domain above
     * it.
     *
     * @param reference fully qualified: {@code docker.io/library/busybox:latest}
     */
    public List<SignatureRequirement> ofRegistryImage(String reference) {
        Map<String, List<SignatureRequirement>> scopes = transports.get("docker");
        if (scopes == null) {
            return otherwise;
        }
        for (String scope : scopesOf(reference)) {
            List<SignatureRequirement> requirements = scopes.get(scope);
            if (requirements != null) {
                return requirements;
            }
        }
        return general(scopes);
    }

    /**
     * What is asked of images of a file. Scopes of single files are not told apart: where any of
     * them asks for something, it is asked of all files of the transport.
     *
     * @param transport {@code oci}, {@code oci-archive} or {@code docker-archive}
     */
    public List<SignatureRequirement> ofFile(String transport) {
        Map<String, List<SignatureRequirement>> scopes = transports.get(transport);
        if (scopes == null) {
            return otherwise;
        }
        List<SignatureRequirement> all = new ArrayList<>(general(scopes));
        scopes.values().forEach(all::addAll);
        return all;
    }

    private List<SignatureRequirement> general(Map<String, List<SignatureRequirement>> scopes) {
        @Nullable List<SignatureRequirement> requirements = scopes.get("");
        return requirements == null ? otherwise : requirements;
    }

    /** Whether any image at all has to fulfil anything. */
    public boolean asksNothing() {
        for (Map<String, List<SignatureRequirement>> scopes : transports.values()) {
            for (List<SignatureRequirement> requirements : scopes.values()) {
                if (!asksNothing(requirements)) {
                    return false;
                }
            }
        }
        return asksNothing(otherwise);
    }

    private static boolean asksNothing(List<SignatureRequirement> requirements) {
        for (SignatureRequirement requirement : requirements) {
            if (!(requirement instanceof AcceptAnything)) {
                return false;
            }
        }
        return true;
    }

    /** The scopes that cover a reference, most special first. */
    public static List<String> scopesOf(String reference) {
        List<String> scopes = new ArrayList<>();
        scopes.add(reference);
        int at = reference.indexOf('@');
        String name = at < 0 ? reference : reference.substring(0, at);
        int colon = name.lastIndexOf(':');
        if (colon > name.lastIndexOf('/')) {
            if (at >= 0) {
                scopes.add(name);
            }
            name = name.substring(0, colon);
        }
        int slash;
        if (!name.equals(reference)) {
            scopes.add(name);
        }
        while ((slash = name.lastIndexOf('/')) > 0) {
            name = name.substring(0, slash);
            scopes.add(name);
        }
        int dot;
        String domain = name;
        while ((dot = domain.indexOf('.')) >= 0) {
            domain = domain.substring(dot + 1);
            scopes.add("*." + domain);
        }
        return scopes;
    }
}
