package io.crema.oci.linux;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.base.ErrorKind;
import org.junit.jupiter.api.Test;

/** Error numbers and the texts made of them. */
class ErrnoTest {
    @Test
    void knownNumbersHaveNames() {
        assertThat(Errno.of(2)).isSameAs(Errno.ENOENT);
        assertThat(Errno.of(122)).isSameAs(Errno.EDQUOT);
        assertThat(Errno.of(1)).isSameAs(Errno.EPERM);
    }

    @Test
    void unknownNumbersAreStillTold() {
        for (int number : new int[] {77, 0, -3, 4000}) {
            assertThat(Errno.of(number).number()).isEqualTo(number);
            assertThat(Errno.of(number).toString()).contains(Integer.toString(number));
        }
    }

    @Test
    void textSaysCallArgumentsAndReason() {
        LinuxException failure = new LinuxException("mount", "'a', '/b'", Errno.EBUSY);
        assertThat(failure).hasMessage("mount('a', '/b'): device or resource busy (EBUSY)");
        assertThat(failure.call()).isEqualTo("mount");
        assertThat(failure.kind()).isEqualTo(ErrorKind.INTERNAL);
        assertThat(new LinuxException("open", "", Errno.EMFILE).kind())
                .isEqualTo(ErrorKind.RESOURCE_EXHAUSTED);
    }
}
