package io.crema.server.base;

/** The version that this build reports; a test holds it against the build's own. */
public final class CremaVersion {
    /** Our name in VersionResponse; kubelet makes it the prefix of container ids. */
    public static final String RUNTIME_NAME = "crema";

    /** A semantic version without a pre-release part, because kubelet compares it. */
    public static final String VERSION = "0.1.0";

    /** Of the CRI's own version message; kubelet expects this text. */
    public static final String KUBE_API_VERSION = "0.1.0";

    public static final String CRI_VERSION = "v1";

    private CremaVersion() {}
}
