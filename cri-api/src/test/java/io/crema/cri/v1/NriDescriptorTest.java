package io.crema.cri.v1;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Descriptors.FileDescriptor;
import io.crema.nri.v1alpha1.ConfigureRequest;
import java.io.IOException;
import java.util.Set;
import org.junit.jupiter.api.Test;

/**
 * Holds the plugins' protocol against the table of facts in {@code nri-v1alpha1.txt}, both ways.
 */
final class NriDescriptorTest {
    private static final FileDescriptor FILE = ConfigureRequest.getDescriptor().getFile();
    private static final String TABLE = "/nri-v1alpha1.txt";

    @Test
    void theProtocolIsExactlyTheTable() throws IOException {
        Set<String> missing = ProtocolFacts.table(TABLE);
        missing.removeAll(ProtocolFacts.generated(FILE));
        Set<String> unknown = ProtocolFacts.generated(FILE);
        unknown.removeAll(ProtocolFacts.table(TABLE));
        assertThat(missing).as("facts of the table that nri.proto lacks").isEmpty();
        assertThat(unknown).as("what nri.proto has beyond the table").isEmpty();
    }

    @Test
    void theTableIsWhole() throws IOException {
        Set<String> table = ProtocolFacts.table(TABLE);
        assertThat(table).filteredOn(fact -> fact.startsWith("message ")).hasSize(84);
        assertThat(table).filteredOn(fact -> fact.startsWith("field ")).hasSize(250);
        assertThat(table).filteredOn(fact -> fact.startsWith("enum ")).hasSize(9);
        assertThat(table).filteredOn(fact -> fact.startsWith("value ")).hasSize(94);
        assertThat(FILE.getPackage()).isEqualTo("nri.pkg.api.v1alpha1");
    }
}
