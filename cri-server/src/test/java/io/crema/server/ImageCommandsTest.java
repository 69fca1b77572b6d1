package io.crema.server;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonProcessingException;
import io.crema.server.base.ServerJson;
import org.junit.jupiter.api.Test;

class ImageCommandsTest {
    @Test
    void theBarTellsBytesLayersAndRate() throws JsonProcessingException {
        String pull =
                """
                {"reference":"r.test/app:1","phase":"layers","size_bytes":10485760,
                 "done_bytes":2621440,"bytes_per_second":1048576,"seconds_left":8,
                 "layers":[{"size_bytes":5,"done_bytes":5},{"size_bytes":9,"done_bytes":1}]}
                """;
        assertThat(ImageCommands.bar(ServerJson.MAPPER.readTree(pull)))
                .isEqualTo(
                        "r.test/app:1  [######                  ] 25 %  2.5/10.0 MiB  1/2 layers"
                                + "  1.0 MiB/s  8 s left");
        String beginning = "{\"reference\":\"r.test/app:1\",\"phase\":\"resolving\"}";
        assertThat(ImageCommands.bar(ServerJson.MAPPER.readTree(beginning)))
                .isEqualTo("r.test/app:1  resolving");
    }

    @Test
    void theTableHasALineForEachName() throws JsonProcessingException {
        String images =
                """
                [{"id":"%s","repo_tags":["b.test/x:2","a.test/x:1"],"repo_digests":["a.test/x@d"],
                  "size_bytes":1048576,"pinned":true},
                 {"id":"%s","repo_tags":[],"repo_digests":["c.test/model@sha256:1"],
                  "size_bytes":0,"pinned":false,"artifact_type":"t"},
                 {"id":"short","repo_tags":[],"repo_digests":[],"size_bytes":3145728,
                  "pinned":false}]
                """
                        .formatted("ab".repeat(32), "cd".repeat(32));
        assertThat(ImageCommands.table(ServerJson.MAPPER.readTree(images)))
                .isEqualTo(
                        """
                        IMAGE                  ID                     SIZE  KIND
                        <none>                 short               3.0 MiB  image
                        a.test/x:1             abababababaab       1.0 MiB  image, pinned
                        b.test/x:2             abababababaab       1.0 MiB  image, pinned
                        c.test/model@sha256:1  cdcdcdcdcdccd       0.0 MiB  artifact
                        """
                                .replace("abababababaab", "ab".repeat(32).substring(0, 13))
                                .replace("cdcdcdcdcdccd", "cd".repeat(32).substring(0, 13)));
    }
}
