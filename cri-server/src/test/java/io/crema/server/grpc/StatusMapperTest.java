package io.crema.server.grpc;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.base.ErrorKind;
import io.crema.server.base.ServerException;
import io.grpc.Status;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Every error kind has the code that kubelet reacts to. */
final class StatusMapperTest {
    @ParameterizedTest
    @EnumSource(ErrorKind.class)
    void kindsKeepTheirNameAsCode(ErrorKind kind) {
        String expected = kind == ErrorKind.CRI_REASON ? "UNKNOWN" : kind.name();

        StatusMapper.Failure failure = StatusMapper.failure(new ServerException(kind, "because"));

        assertThat(failure.status().getCode().name()).isEqualTo(expected);
        assertThat(failure.status().getDescription()).isEqualTo("because");
        assertThat(failure.reference()).isNull();
    }

    @Test
    void longMessagesAreCut() {
        StatusMapper.Failure failure =
                StatusMapper.failure(new ServerException(ErrorKind.INTERNAL, "x".repeat(100_000)));

        assertThat(failure.status().getDescription())
                .hasSize(StatusMapper.MAX_MESSAGE_CHARS)
                .endsWith("x…");
    }

    @Test
    void aStatusPassesThrough() {
        assertThat(StatusMapper.failure(Status.ABORTED.asRuntimeException()).status())
                .isEqualTo(Status.ABORTED);
    }
}
