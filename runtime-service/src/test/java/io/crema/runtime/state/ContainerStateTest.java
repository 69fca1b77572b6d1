package io.crema.runtime.state;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.runtime.state.ContainerState.Created;
import io.crema.runtime.state.ContainerState.Ended;
import io.crema.runtime.state.ContainerState.Event;
import io.crema.runtime.state.ContainerState.Exited;
import io.crema.runtime.state.ContainerState.Running;
import io.crema.runtime.state.ContainerState.Started;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every state with every event. */
class ContainerStateTest {
    private static final Event STARTED = new Started(20);
    private static final Event ENDED = new Ended(30, 7, "Error", "why");

    static Stream<Arguments> pairs() {
        Exited exited = new Exited(1, 2, 3, "Completed", "");
        return Stream.of(
                Arguments.of(new Created(), STARTED, new Running(20)),
                Arguments.of(new Created(), ENDED, new Exited(0, 30, 7, "Error", "why")),
                Arguments.of(new Running(10), STARTED, new Running(10)),
                Arguments.of(new Running(10), ENDED, new Exited(10, 30, 7, "Error", "why")),
                Arguments.of(exited, STARTED, exited),
                Arguments.of(exited, ENDED, exited));
    }

    @ParameterizedTest
    @MethodSource("pairs")
    void followsObservations(ContainerState before, Event event, ContainerState after) {
        assertThat(before.after(event)).isEqualTo(after);
    }

    static Stream<Arguments> alive() {
        return Stream.of(
                Arguments.of(new Created(), true),
                Arguments.of(new Running(1), true),
                Arguments.of(new Exited(1, 2, 0, "Completed", ""), false));
    }

    @ParameterizedTest
    @MethodSource("alive")
    void isAliveUntilItHasExited(ContainerState state, boolean alive) {
        assertThat(state.isAlive()).isEqualTo(alive);
    }
}
