package io.crema.conf;

import static io.crema.conf.Option.option;

import io.crema.conf.CheckpointConfiguration.ContainerLevel;

/** The options of {@code [crio.checkpoint_restore]}. */
final class CheckpointOptions {
    static final OptionTable TABLE =
            new OptionTable("crio.checkpoint_restore", "Checkpoints of containers by CRIU.");

    static final Option<ContainerLevel> CONTAINER_LEVEL_ENABLED =
            option(
                            "container_level_enabled",
                            OptionTypes.oneOf(ContainerLevel.class),
                            ContainerLevel.CHECKPOINT_RESTORE)
                    .doc("What may be done with single containers.")
                    .flags("--checkpoint-restore-container-level-enabled")
                    .in(TABLE);

    private CheckpointOptions() {}

    static CheckpointConfiguration read(Settings settings) {
        return new CheckpointConfiguration(settings.value(CONTAINER_LEVEL_ENABLED));
    }
}
