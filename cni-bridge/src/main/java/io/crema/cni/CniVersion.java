package io.crema.cni;

import java.util.Optional;

/** The versions of the CNI specification that a configuration may ask for, oldest first. */
enum CniVersion {
    V0_3_0("0.3.0"),
    V0_3_1("0.3.1"),
    V0_4_0("0.4.0"),
    V1_0_0("1.0.0"),
    V1_1_0("1.1.0");

    private final String text;

    CniVersion(String text) {
        this.text = text;
    }

    static Optional<CniVersion> of(String text) {
        for (CniVersion version : values()) {
            if (version.text.equals(text)) {
                return Optional.of(version);
            }
        }
        return Optional.empty();
    }

    static String range() {
        return V0_3_0 + " to " + V1_1_0;
    }

    /** CHECK, and prevResult in DEL, came with 0.4.0. */
    boolean hasCheck() {
        return compareTo(V0_4_0) >= 0;
    }

    /** STATUS and GC came with 1.1.0. */
    boolean hasStatusAndGc() {
        return compareTo(V1_1_0) >= 0;
    }

    /** Until 1.0.0 each address of a result named its IP version. */
    boolean namesAddressFamilies() {
        return compareTo(V1_0_0) < 0;
    }

    @Override
    public String toString() {
        return text;
    }
}
