package io.crema.runtime;

import static org.assertj.core.api.Assertions.assertThat;

import io.crema.cri.v1.ContainerStatus;
import io.crema.runtime.state.Container;
import io.crema.runtime.state.ContainerState;
import io.crema.runtime.state.Layout;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class ContainerAnswersTest {
    @TempDir Path directory;

    @Test
    void theStatusOfAContainerThatEndsMeanwhileIsOfOneMoment()
            throws IOException, InterruptedException {
        Layout layout = TestContainers.layout(directory);
        for (int i = 0; i < 200; i++) {
            Container container = TestContainers.running(layout);
            Thread ending =
                    Thread.ofPlatform()
                            .start(() ->
                                    container.observe(
                                            new ContainerState.Ended(3, 0, "Completed", "")));
            ContainerStatus status;
            do {
                status = ContainerAnswers.status(container);
                boolean isExited =
                        status.getState() == io.crema.cri.v1.ContainerState.CONTAINER_EXITED;
                assertThat(status.getReason()).isEqualTo(isExited ? "Completed" : "");
                assertThat(status.getFinishedAt()).isEqualTo(isExited ? 3 : 0);
            } while (status.getReason().isEmpty());
            ending.join();
        }
    }
}
