package io.crema.runtime.streaming;

/**
 * The size of a terminal window in characters.
 *
 * @param columns 0 to 65535, as TIOCSWINSZ takes it
 * @param rows 0 to 65535
 */
public record TerminalSize(int columns, int rows) {
    private static final int MAX = 0xffff;

    public TerminalSize {
        if (columns < 0 || columns > MAX || rows < 0 || rows > MAX) {
            throw new IllegalArgumentException(
                    "a terminal of " + columns + " columns and " + rows + " rows");
        }
    }
}
