package io.crema.server.metrics;

import java.util.Collection;
import java.util.HashSet;
import java.util.Set;

/** Writes metrics in Prometheus' text format (version 0.0.4), those that are wanted. */
final class Exposition {
    static final String CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

    private static final String CRIO = "container_runtime_crio_";

    private final StringBuilder text = new StringBuilder(8 << 10);
    private final Set<String> collectors;
    private String name = "";
    private boolean wanted;

    /** What a metric is, in Prometheus' words. */
    enum Kind {
        COUNTER("counter"),
        GAUGE("gauge"),
        SUMMARY("summary"),
        HISTOGRAM("histogram");

        private final String word;

        Kind(String word) {
            this.word = word;
        }
    }

    /**
     * @param collectors of CRI-O's metrics those to write, without prefix
     */
    Exposition(Collection<String> collectors) {
        this.collectors = new HashSet<>(collectors);
    }

    /** Whether one of CRI-O's metrics is to be written, for what is costly to find out. */
    boolean wants(String collector) {
        return collectors.contains(collector);
    }

    /** Begins one of CRI-O's metrics, by the name of its collector. */
    Exposition crio(String collector, Kind kind, String help) {
        wanted = collectors.contains(collector);
        return begin(CRIO + collector, kind, help);
    }

    /** Begins a metric of another name, which is always written. */
    Exposition metric(String metric, Kind kind, String help) {
        wanted = true;
        return begin(metric, kind, help);
    }

    private Exposition begin(String metric, Kind kind, String help) {
        name = metric;
        if (wanted) {
            text.append("# HELP ").append(name).append(' ').append(help).append('\n');
            text.append("# TYPE ").append(name).append(' ').append(kind.word).append('\n');
        }
        return this;
    }

    /**
     * A value of the metric begun last.
     *
     * @param labels name and value in turn
     */
    Exposition value(long value, String... labels) {
        return sample("", Long.toString(value), labels);
    }

    Exposition value(double value, String... labels) {
        return sample("", Double.toString(value), labels);
    }

    /** A value of a summary or histogram: bucket, sum or count. */
    Exposition part(String suffix, long value, String... labels) {
        return sample(suffix, Long.toString(value), labels);
    }

    Exposition part(String suffix, double value, String... labels) {
        return sample(suffix, Double.toString(value), labels);
    }

    private Exposition sample(String suffix, String value, String... labels) {
        if (!wanted) {
            return this;
        }
        text.append(name).append(suffix);
        for (int i = 0; i + 1 < labels.length; i += 2) {
            text.append(i == 0 ? '{' : ',').append(labels[i]).append("=\"");
            escaped(labels[i + 1]);
            text.append('"');
        }
        text.append(labels.length > 0 ? "} " : " ").append(value).append('\n');
        return this;
    }

    private void escaped(String value) {
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            switch (c) {
                case '\\' -> text.append("\\\\");
                case '"' -> text.append("\\\"");
                case '\n' -> text.append("\\n");
                default -> text.append(c);
            }
        }
    }

    @Override
    public String toString() {
        return text.toString();
    }
}
