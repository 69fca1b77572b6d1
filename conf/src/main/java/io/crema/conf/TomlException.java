package io.crema.conf;

/** A text that is not TOML; the message says what is wrong, the line says where. */
public final class TomlException extends Exception {
    private static final long serialVersionUID = 1;

    private final int line;

    TomlException(int line, String message) {
        super(message);
        this.line = line;
    }

    /** Counted from one. */
    public int line() {
        return line;
    }
}
