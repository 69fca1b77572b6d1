package io.crema.conf;

/** What Crema does with a value that differs from an option's default. */
public enum Support {
    /** It has the effect that its documentation tells. */
    HONOURED,
    /** Nothing yet; a warning at start says so. */
    NOT_YET,
    /** Nothing, because it has no meaning here; a warning at start says why. */
    NO_EFFECT,
    /** The daemon refuses to start, because to ignore the value would be unsafe. */
    REFUSED,
    /** It is translated to the option that replaced it; a warning at start names that one. */
    DEPRECATED
}
