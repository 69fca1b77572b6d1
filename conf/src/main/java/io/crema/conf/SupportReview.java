package io.crema.conf;

import java.util.List;

/** Finds the values that Crema does not honour and says so, or refuses them. */
final class SupportReview {
    private final List<String> problems;
    private final List<String> warnings;

    SupportReview(List<String> problems, List<String> warnings) {
        this.problems = problems;
        this.warnings = warnings;
    }

    void review(Settings settings) {
        for (OptionTable table : Options.tables()) {
            for (Option<?> option : settings.set(table)) {
                review(settings, option);
            }
        }
        settings.runtimes().values().forEach(this::review);
        settings.workloads().values().forEach(this::review);
        reviewValidator(settings);
    }

    /** Who requires plugins, or forbids them something, must hear that nobody looks. */
    private void reviewValidator(Settings settings) {
        boolean hasPlugins = settings.value(NriOptions.ENABLE_NRI);
        if (hasPlugins && settings.value(NriOptions.ENABLE_DEFAULT_VALIDATOR)) {
            return;
        }
        Option<Boolean> off =
                hasPlugins ? NriOptions.ENABLE_DEFAULT_VALIDATOR : NriOptions.ENABLE_NRI;
        for (Option<?> option : settings.set(NriOptions.VALIDATOR)) {
            if (!option.equals(off) && settings.isChanged(option)) {
                warnings.add(
                        settings.origin(option)
                                + ": "
                                + SettingsReader.path(settings, option)
                                + " has no effect while "
                                + off.key()
                                + " is false: containers are made without that check");
            }
        }
    }

    private <T> void review(Settings settings, Option<T> option) {
        if (!settings.isChanged(option) || option.harmless().contains(settings.value(option))) {
            return;
        }
        String what =
                settings.origin(option)
                        + ": "
                        + SettingsReader.path(settings, option)
                        + " = "
                        + ConfigurationPrinter.oneLine(option, settings);
        switch (option.support()) {
            case HONOURED -> {}
            case NOT_YET, NO_EFFECT -> warnings.add(what + " has no effect: " + option.note());
            case REFUSED ->
                    problems.add(
                            what
                                    + " is refused: "
                                    + option.note()
                                    + "; remove it or set it to "
                                    + option.type().toToml(option.fallback(settings)));
            case DEPRECATED -> warnings.add(what + " is deprecated; write it as " + option.note());
        }
    }
}
