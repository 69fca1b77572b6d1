package io.crema.conf;

/**
 * The whole configuration, checked and immutable. Each part holds what belongs to one subject,
 * whether its key stands in a table of crio.conf or below {@code [crema]}.
 */
public record CremaConfiguration(
        StorageConfiguration storage,
        ApiConfiguration api,
        RuntimeConfiguration runtime,
        SecurityConfiguration security,
        DeviceConfiguration devices,
        LogConfiguration log,
        CheckpointConfiguration checkpoint,
        ImageSettings image,
        NetworkConfiguration network,
        MetricsConfiguration metrics,
        TracingConfiguration tracing,
        StatsConfiguration stats,
        NriConfiguration nri) {}
