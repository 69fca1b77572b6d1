package io.crema.server;

import com.fasterxml.jackson.databind.JsonNode;
import io.crema.base.ErrorKind;
import io.crema.server.base.ServerException;
import io.crema.server.base.ServerJson;
import java.io.IOException;
import java.time.Duration;
import java.util.StringJoiner;

/** The daemon's status for a reader. */
final class StatusText {
    private StatusText() {}

    static String of(String json) {
        try {
            return text(ServerJson.MAPPER.readTree(json));
        } catch (IOException e) {
            throw new ServerException(
                    ErrorKind.INTERNAL, "the daemon's status is not JSON: " + e.getMessage(), e);
        }
    }

    private static String text(JsonNode status) {
        StringBuilder text = new StringBuilder();
        line(
                text,
                "crema",
                status.path("version").asText()
                        + ", pid "
                        + status.path("pid").asText()
                        + ", up "
                        + upTime(Duration.ofSeconds(status.path("up_seconds").asLong())));
        line(text, "socket", status.path("socket").asText());
        line(text, "root", status.path("root").asText());
        for (JsonNode condition : status.path("conditions")) {
            String subject = condition.path("type").asText().replace("Ready", "");
            line(
                    text,
                    subject.toLowerCase(java.util.Locale.ROOT),
                    condition.path("status").asBoolean()
                            ? "ready"
                            : "NOT READY: "
                                    + condition.path("reason").asText()
                                    + ": "
                                    + condition.path("message").asText());
        }
        line(text, "pods", counts(status.path("pods")));
        line(text, "containers", counts(status.path("containers")));
        line(text, "images", status.path("images").asText());
        return text.toString();
    }

    private static String counts(JsonNode byState) {
        StringJoiner counts = new StringJoiner(", ").setEmptyValue("none");
        byState.properties()
                .forEach(entry -> counts.add(entry.getValue().asText() + " " + entry.getKey()));
        return counts.toString();
    }

    private static String upTime(Duration time) {
        if (time.toDays() > 0) {
            return time.toDays() + "d" + time.toHoursPart() + "h";
        }
        if (time.toHours() > 0) {
            return time.toHours() + "h" + time.toMinutesPart() + "m";
        }
        return time.toMinutes() + "m" + time.toSecondsPart() + "s";
    }

    private static void line(StringBuilder text, String subject, String value) {
        text.append("%-11s %s%n".formatted(subject, value));
    }
}
