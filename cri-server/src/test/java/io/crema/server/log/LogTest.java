package io.crema.server.log;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.slf4j.Logger;
import org.slf4j.event.Level;

/** One record is one line that a logfmt parser reads. */
final class LogTest {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final LogSink sink =
            new LogSink(
                    out, Clock.fixed(Instant.parse("2026-11-03T04:05:06.0078Z"), ZoneOffset.UTC));
    private final Logger log = new LineLogger("io.crema.server.Daemon", sink);

    @Test
    void aLineHasTimeLevelLoggerAndMessage() {
        log.warn("pod {} is {}", "a", 7);

        assertThat(lines())
                .containsExactly(
                        "time=2026-11-03T04:05:06.007Z level=warn logger=Daemon msg=\"pod a is"
                                + " 7\"");
    }

    @Test
    void keyValuePairsFollow() {
        log.atInfo().addKeyValue("id", "abc").addKeyValue("error", "no such file").log("failed");

        assertThat(lines().getFirst()).endsWith("msg=failed id=abc error=\"no such file\"");
    }

    @Test
    void whatCouldForgeALineIsEscaped() {
        log.atInfo().addKeyValue("image", "x\ntime=0 level=error \"\\\u0007").log("a\r\nb");

        assertThat(lines())
                .singleElement()
                .asString()
                .endsWith("msg=\"a\\r\\nb\" image=\"x\\ntime=0 level=error \\\"\\\\\\x07\"");
    }

    @Test
    void emptyAndAbsentValuesStayReadable() {
        log.atInfo().addKeyValue("empty", "").addKeyValue("none", (Object) null).log("m");

        assertThat(lines().getFirst()).endsWith("msg=m empty=\"\" none=null");
    }

    @Test
    void aStackTraceFollowsOnTabbedLines() {
        log.error("broken", new IllegalStateException("why"));

        assertThat(lines().getFirst()).endsWith("level=error logger=Daemon msg=broken");
        assertThat(lines().get(1)).isEqualTo("\tjava.lang.IllegalStateException: why");
        assertThat(lines().subList(1, lines().size())).allMatch(line -> line.startsWith("\t"));
    }

    @Test
    void theLevelDecidesAndLibrariesAreHeldToWarnings() {
        Logger netty = new LineLogger("io.netty.channel.Something", sink);
        sink.threshold(Level.DEBUG);
        log.debug("mine");
        log.trace("too much");
        netty.info("chatter");
        netty.warn("worth it");

        assertThat(lines())
                .extracting(line -> line.replaceAll(".*msg=", ""))
                .containsExactly("mine", "\"worth it\"");
    }

    @Test
    void linesOfManyThreadsDoNotMix() throws InterruptedException {
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            String text = String.valueOf(i).repeat(200);
            threads.add(
                    Thread.ofVirtual()
                            .start(() -> {
                                for (int n = 0; n < 100; n++) {
                                    log.info(text);
                                }
                            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }

        assertThat(lines()).hasSize(800).allMatch(line -> line.matches(".* msg=(\\d)\\1{199}"));
    }

    private List<String> lines() {
        return out.toString(StandardCharsets.UTF_8).lines().toList();
    }
}
