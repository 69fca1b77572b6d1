package io.crema.runtime.nri;

import io.crema.nri.v1alpha1.Field;
import io.crema.runtime.state.PodException;

/** Words for what plugins want of one container and cannot have. */
final class Refusals {
    private final FieldClaims claims;
    private final String container;

    Refusals(FieldClaims claims, String container) {
        this.claims = claims;
        this.container = container;
    }

    PodException of(Field field, String reason) {
        return claims.refusal(container, field, "", reason);
    }

    PodException of(Field field, String entry, String reason) {
        return claims.refusal(container, field, entry, reason);
    }

    /** Whether a plugin set it, not whoever asked for the change in the first place. */
    boolean isClaimed(Field field, String entry) {
        return claims.isClaimed(container, field, entry);
    }
}
