package io.crema.runtime.spec;

import io.crema.base.ErrorKind;
import io.crema.cri.v1.SecurityProfile;
import io.crema.cri.v1.SecurityProfile.ProfileType;
import io.crema.oci.spec.LinuxSeccomp;
import io.crema.runtime.state.PodException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Which seccomp filter a container gets. The profiles that the configuration names are read once
 * and kept until this object is replaced at a reload; profiles that requests name are read each
 * time. Thread safe.
 */
final class SeccompPolicy {
    private static final String BUILT_IN = "seccomp.json";
    private static final int MAX_BYTES = 1 << 20;
    private static final String LOCALHOST = "localhost/";

    private final NodeFacts node;
    private final Optional<Path> defaultProfile;
    private final Optional<Path> privilegedProfile;
    private final ConcurrentHashMap<String, SeccompProfile> kept = new ConcurrentHashMap<>();

    SeccompPolicy(NodeFacts node, Optional<Path> defaultProfile, Optional<Path> privilegedProfile) {
        this.node = node;
        this.defaultProfile = defaultProfile;
        this.privilegedProfile = privilegedProfile;
    }

    /**
     * What a request asks for, with the deprecated string as the fallback.
     *
     * @param field for messages
     * @param absent what neither being there means
     */
    static SecurityProfile requested(
            String field,
            boolean isPresent,
            SecurityProfile profile,
            String deprecated,
            ProfileType absent) {
        if (isPresent) {
            if (profile.getProfileType() == ProfileType.UNRECOGNIZED) {
                throw PodException.invalid(field + ".profile_type: this value is unknown");
            }
            boolean isLocalhost = profile.getProfileType() == ProfileType.Localhost;
            if (isLocalhost == profile.getLocalhostRef().isEmpty()) {
                throw PodException.invalid(
                        field
                                + (isLocalhost
                                        ? ".localhost_ref must name the profile"
                                        : ".localhost_ref is for the type Localhost only"));
            }
            return profile;
        }
        return switch (deprecated) {
            case "" -> SecurityProfile.newBuilder().setProfileType(absent).build();
            case "unconfined" ->
                    SecurityProfile.newBuilder().setProfileType(ProfileType.Unconfined).build();
            case "runtime/default", "docker/default" ->
                    SecurityProfile.newBuilder().setProfileType(ProfileType.RuntimeDefault).build();
            default -> {
                if (!deprecated.startsWith(LOCALHOST)) {
                    throw PodException.invalid(
                            field
                                    + ": unknown profile '"
                                    + deprecated
                                    + "' in the deprecated field");
                }
                yield SecurityProfile.newBuilder()
                        .setProfileType(ProfileType.Localhost)
                        .setLocalhostRef(deprecated.substring(LOCALHOST.length()))
                        .build();
            }
        };
    }

    /** Reads the profile that RuntimeDefault means. */
    void warmUp() {
        defaultProfile.ifPresentOrElse(this::configured, this::builtIn);
        privilegedProfile.ifPresent(this::configured);
    }

    /**
     * @param handlerProfile what RuntimeDefault means for the runtime handler
     * @param capabilities of the container's bounding set
     * @return empty for no filter
     */
    Optional<LinuxSeccomp> filter(
            SecurityProfile requested,
            String field,
            boolean isPrivileged,
            Optional<Path> handlerProfile,
            List<String> capabilities) {
        Optional<SeccompProfile> profile;
        if (isPrivileged) {
            profile = privilegedProfile.map(this::configured);
        } else {
            profile =
                    switch (requested.getProfileType()) {
                        case Unconfined, UNRECOGNIZED -> Optional.empty();
                        case RuntimeDefault ->
                                Optional.of(
                                        handlerProfile
                                                .or(() -> defaultProfile)
                                                .map(this::configured)
                                                .orElseGet(this::builtIn));
                        case Localhost ->
                                Optional.of(localhost(requested.getLocalhostRef(), field));
                    };
        }
        if (!node.seccomp()) {
            if (!isPrivileged && requested.getProfileType() == ProfileType.Localhost) {
                throw new PodException(
                        ErrorKind.FAILED_PRECONDITION,
                        field + ": the kernel of this node is built without seccomp");
            }
            return Optional.empty();
        }
        return profile.map(
                one -> one.resolve(Set.copyOf(capabilities), node.architecture(), node.kernel()));
    }

    private SeccompProfile configured(Path file) {
        return kept.computeIfAbsent(
                file.toString(),
                name ->
                        SeccompProfile.parse(
                                read(file, "seccomp_profile"), "seccomp_profile " + name));
    }

    private SeccompProfile builtIn() {
        return kept.computeIfAbsent(
                "", name -> SeccompProfile.parse(resource(), "the built-in profile"));
    }

    private static byte[] resource() {
        try (InputStream stream = SeccompPolicy.class.getResourceAsStream(BUILT_IN)) {
            if (stream == null) {
                throw new IllegalStateException("the resource " + BUILT_IN + " is missing");
            }
            return stream.readAllBytes();
        } catch (IOException e) {
            throw new IllegalStateException("the resource " + BUILT_IN + " cannot be read", e);
        }
    }

    private static SeccompProfile localhost(String name, String field) {
        // Some clients put the deprecated form into the new field.
        String path = name.startsWith(LOCALHOST) ? name.substring(LOCALHOST.length()) : name;
        if (!path.startsWith("/") || path.indexOf('\0') >= 0) {
            throw PodException.invalid(
                    field + ".localhost_ref must be an absolute path, not '" + path + "'");
        }
        return SeccompProfile.parse(read(Path.of(path), field), field + " " + path);
    }

    private static byte[] read(Path file, String field) {
        if (!Files.isRegularFile(file)) {
            throw PodException.invalid(field + ": there is no profile " + file + " on this node");
        }
        try (InputStream stream = Files.newInputStream(file)) {
            byte[] content = stream.readNBytes(MAX_BYTES + 1);
            if (content.length > MAX_BYTES) {
                throw PodException.invalid(
                        field
                                + ": the profile "
                                + file
                                + " is larger than "
                                + MAX_BYTES
                                + " bytes");
            }
            return content;
        } catch (IOException e) {
            throw PodException.invalid(field + ": cannot read the profile " + file + ": " + e);
        }
    }
}
