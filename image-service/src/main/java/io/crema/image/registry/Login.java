package io.crema.image.registry;

import io.crema.image.Images.Credentials;

/**
 * Who we are at one host, and where we know it from.
 *
 * @param credentials user name and password, or one of the tokens; never the packed {@code auth}
 * @param origin for messages: "the request", or the path of a file; empty for nobody
 */
record Login(Credentials credentials, String origin) {
    static Login anonymous() {
        return new Login(Credentials.none(), "");
    }

    boolean isAnonymous() {
        return equals(anonymous());
    }

    /** For messages: never a secret. */
    @Override
    public String toString() {
        if (isAnonymous()) {
            return "no credentials";
        }
        String who =
                !credentials.registryToken().isEmpty()
                        ? "the registry token"
                        : !credentials.identityToken().isEmpty()
                                ? "the identity token"
                                : "user '" + credentials.username() + "'";
        return who + " from " + origin;
    }
}
