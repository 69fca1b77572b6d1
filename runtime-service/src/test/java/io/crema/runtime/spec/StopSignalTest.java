package io.crema.runtime.spec;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.crema.cri.v1.Signal;
import io.crema.runtime.state.PodException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;
import org.junit.jupiter.params.provider.ValueSource;

class StopSignalTest {
    @Test
    void isTheRequestsThenTheImagesThenTerm() {
        assertThat(StopSignal.choose(Signal.SIGNAL_SIGINT, "SIGQUIT").number()).isEqualTo(2);
        assertThat(StopSignal.choose(Signal.SIGNAL_RUNTIME_DEFAULT, "SIGQUIT").number())
                .isEqualTo(3);
        assertThat(StopSignal.choose(Signal.SIGNAL_RUNTIME_DEFAULT, ""))
                .isEqualTo(new StopSignal(Signal.SIGNAL_SIGTERM, 15));
    }

    @ParameterizedTest
    @CsvSource({
        "SIGHUP, 1, SIGNAL_SIGHUP",
        "hup, 1, SIGNAL_SIGHUP",
        "9, 9, SIGNAL_SIGKILL",
        "SIGUSR1, 10, SIGNAL_SIGUSR1",
        "SIGABRT, 6, SIGNAL_SIGABRT",
        "SIGCHLD, 17, SIGNAL_SIGCHLD",
        "SIGWINCH, 28, SIGNAL_SIGWINCH",
        "SIGIO, 29, SIGNAL_SIGIO",
        "SIGRTMIN, 34, SIGNAL_SIGRTMIN",
        "SIGRTMIN+3, 37, SIGNAL_SIGRTMINPLUS3",
        "RTMAX-14, 50, SIGNAL_SIGRTMAXMINUS14",
        "37, 37, SIGNAL_SIGRTMINPLUS3",
        "64, 64, SIGNAL_SIGRTMAX"
    })
    void readsTheImagesForms(String ofImage, int number, Signal signal) {
        assertThat(StopSignal.choose(Signal.SIGNAL_RUNTIME_DEFAULT, ofImage))
                .isEqualTo(new StopSignal(signal, number));
    }

    @ParameterizedTest
    @ValueSource(strings = {"SIGNOTHING", "0", "65", "32", "99999999999", "15x", "SIG"})
    void refusesWhatIsNoSignal(String ofImage) {
        assertThatThrownBy(() -> StopSignal.choose(Signal.SIGNAL_RUNTIME_DEFAULT, ofImage))
                .isInstanceOf(PodException.class)
                .hasMessageContaining("'" + ofImage + "'");
    }

    @ParameterizedTest
    @EnumSource(
            value = Signal.class,
            mode = Mode.EXCLUDE,
            names = {"SIGNAL_RUNTIME_DEFAULT", "UNRECOGNIZED"})
    void knowsTheNumberOfEverySignalOfTheProtocol(Signal signal) {
        int number = StopSignal.choose(signal, "").number();

        assertThat(number).isBetween(1, 64);
    }

    @Test
    void refusesValuesThatTheProtocolDoesNotKnow() {
        assertThatThrownBy(() -> StopSignal.choose(Signal.UNRECOGNIZED, ""))
                .hasMessageContaining("stop_signal");
    }
}
