package io.crema.image.store;

import io.crema.image.registry.ImageSignature;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * Where an image came from, for the signature policy to judge again.
 *
 * @param transports in the words of policy.json: {@code docker} for registries, {@code oci}, {@code
 *     oci-archive}, {@code docker-archive}
 * @param signatures found beside it
 */
record Provenance(Set<String> transports, List<ImageSignature> signatures) {
    static final String REGISTRY = "docker";

    /** As many as anybody needs; more are not kept. */
    private static final int MAX_SIGNATURES = 32;

    private static final int MAX_PAYLOAD_BYTES = 64 << 10;

    Provenance {
        transports = Set.copyOf(transports);
        signatures =
                signatures.stream()
                        .filter(signature -> signature.payload().length <= MAX_PAYLOAD_BYTES)
                        .distinct()
                        .limit(MAX_SIGNATURES)
                        .toList();
    }

    static Provenance registry(List<ImageSignature> signatures) {
        return new Provenance(Set.of(REGISTRY), signatures);
    }

    static Provenance file(String transport) {
        return new Provenance(Set.of(transport), List.of());
    }

    /** Both, the other's signatures first. */
    Provenance with(Provenance other) {
        Set<String> all = new LinkedHashSet<>(transports);
        all.addAll(other.transports);
        List<ImageSignature> both = new ArrayList<>(other.signatures);
        both.addAll(signatures);
        return new Provenance(all, both);
    }
}
