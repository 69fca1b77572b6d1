package io.crema.conf;

import java.util.List;

/**
 * A flag of the daemon's command line.
 *
 * @param names the first is its canonical one: {@code --log-level}, {@code -l}
 * @param isSwitch whether it may stand without value, which means true
 * @param repeatable whether it may be given several times
 * @param documentation one sentence
 * @param environmentVariable stands in for the flag when that is not given
 */
public record CommandLineFlag(
        List<String> names,
        boolean isSwitch,
        boolean repeatable,
        String documentation,
        String environmentVariable) {
    public CommandLineFlag {
        names = List.copyOf(names);
    }

    public String name() {
        return names.getFirst();
    }
}
