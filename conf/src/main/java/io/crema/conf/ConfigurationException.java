package io.crema.conf;

import io.crema.base.CremaException;
import io.crema.base.ErrorKind;
import java.util.List;

/**
 * The configuration cannot be used. The message holds one line for each thing wrong with it, so
 * that an administrator can mend them all at once.
 */
public final class ConfigurationException extends CremaException {
    private final List<String> problems;

    public ConfigurationException(List<String> problems) {
        super(ErrorKind.INVALID_ARGUMENT, String.join("\n", problems), null);
        this.problems = List.copyOf(problems);
    }

    public List<String> problems() {
        return problems;
    }
}
