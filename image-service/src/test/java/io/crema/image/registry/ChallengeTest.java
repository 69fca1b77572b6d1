package io.crema.image.registry;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ChallengeTest {
    @Test
    void bearerAndBasicAreRead() {
        assertThat(
                        Challenge.parse(
                                List.of(
                                        "Bearer realm=\"https://auth/token\",service=\"reg\","
                                                + " scope=\"repository:a/b:pull,push\"",
                                        "Basic realm=\"a \\\"b\\\"\", Negotiate")))
                .containsExactly(
                        new Challenge(
                                "bearer",
                                Map.of(
                                        "realm",
                                        "https://auth/token",
                                        "service",
                                        "reg",
                                        "scope",
                                        "repository:a/b:pull,push")),
                        new Challenge("basic", Map.of("realm", "a \"b\"")),
                        new Challenge("negotiate", Map.of()));
        assertThat(Challenge.parse(List.of("BEARER Realm = x , Service=y")))
                .containsExactly(new Challenge("bearer", Map.of("realm", "x", "service", "y")));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"", "=", "\"", "Bearer realm=\"", "Bearer realm=\"x\\", "Bearer =", ",,,"})
    void malformedHeadersEndQuietly(String header) {
        assertThat(Challenge.parse(List.of(header)).size()).isLessThan(3);
    }
}
