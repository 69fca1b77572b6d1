package io.crema.conf;

/**
 * OpenTelemetry traces ({@code [crio.tracing]}).
 *
 * @param endpoint host:port of an OTLP receiver that speaks gRPC
 * @param samplingRatePerMillion of calls whose caller did not decide
 */
public record TracingConfiguration(boolean enabled, String endpoint, int samplingRatePerMillion) {
    public TracingConfiguration {
        Require.that(
                samplingRatePerMillion >= 0 && samplingRatePerMillion <= 1_000_000,
                "tracing_sampling_rate_per_million must be from 0 to 1000000, not "
                        + samplingRatePerMillion);
        Require.that(
                endpoint.lastIndexOf(':') > 0,
                "tracing_endpoint must be host:port, not '" + endpoint + "'");
    }
}
