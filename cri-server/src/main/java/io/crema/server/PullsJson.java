package io.crema.server;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.image.Images;
import io.crema.image.PullProgress;
import io.crema.image.PullTotals;
import io.crema.server.base.ServerJson;
import io.crema.server.http.HttpAnswer;
import java.time.Duration;
import java.time.Instant;
import java.util.Locale;

/**
 * {@code GET /crema/pulls}: the pulls under way with their layers, and what all pulls have done.
 * Bytes are compressed ones but {@code unpacked_bytes}; {@code seconds_left} is absent while
 * nothing can be foretold.
 */
final class PullsJson {
    private PullsJson() {}

    static HttpAnswer answer(Images images, Instant now) {
        ObjectNode answer = JsonNodeFactory.instance.objectNode();
        ArrayNode pulls = answer.putArray("pulls");
        for (PullProgress pull : images.pulls()) {
            write(pulls.addObject(), pull, now);
        }
        PullTotals totals = images.pullTotals();
        answer.putObject("totals")
                .put("succeeded", totals.succeeded())
                .put("failed", totals.failed())
                .put("received_bytes", totals.receivedBytes())
                .put("skipped_bytes", totals.skippedBytes())
                .put("resumed_bytes", totals.resumedBytes())
                .put("reused_layers", totals.reusedLayers());
        return HttpAnswer.json(ServerJson.write(answer));
    }

    private static void write(ObjectNode node, PullProgress pull, Instant now) {
        node.put("reference", pull.reference());
        node.put("phase", word(pull.phase()));
        node.put("started_at", pull.startedAt().toString());
        node.put("elapsed_ms", Duration.between(pull.startedAt(), now).toMillis());
        node.put("size_bytes", pull.sizeBytes());
        node.put("done_bytes", pull.doneBytes());
        node.put("received_bytes", pull.receivedBytes());
        node.put("bytes_per_second", pull.bytesPerSecond());
        if (pull.bytesPerSecond() > 0) {
            node.put(
                    "seconds_left",
                    (pull.sizeBytes() - pull.doneBytes() + pull.bytesPerSecond() - 1)
                            / pull.bytesPerSecond());
        }
        ArrayNode layers = node.putArray("layers");
        for (PullProgress.Layer layer : pull.layers()) {
            layers.addObject()
                    .put("digest", layer.digest())
                    .put("state", word(layer.state()))
                    .put("size_bytes", layer.sizeBytes())
                    .put("done_bytes", layer.doneBytes())
                    .put("received_bytes", layer.receivedBytes())
                    .put("unpacked_bytes", layer.unpackedBytes());
        }
    }

    private static String word(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT);
    }
}
