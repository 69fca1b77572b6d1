package io.crema.image.trust;

/** One signature does not count, and why; another one may. */
final class UnacceptableSignatureException extends Exception {
    private static final long serialVersionUID = 1;

    UnacceptableSignatureException(String message) {
        super(message);
    }
}
