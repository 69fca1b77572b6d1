package io.crema.cri.v1;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import java.io.IOException;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Holds the generated protocol against the table of facts in {@code cri-v1.txt}, both ways. */
final class DescriptorTest {
    private static final FileDescriptor FILE = VersionRequest.getDescriptor().getFile();

    @Test
    void theProtocolIsExactlyTheTable() throws IOException {
        Set<String> missing = ProtocolFacts.table("/cri-v1.txt");
        missing.removeAll(ProtocolFacts.generated(FILE));
        Set<String> unknown = ProtocolFacts.generated(FILE);
        unknown.removeAll(ProtocolFacts.table("/cri-v1.txt"));
        assertThat(missing).as("facts of the table that api.proto lacks").isEmpty();
        assertThat(unknown).as("what api.proto has beyond the table").isEmpty();
    }

    @Test
    void theTableIsWhole() throws IOException {
        // The counts of the source document; a table cut short must not pass unnoticed.
        Set<String> table = ProtocolFacts.table("/cri-v1.txt");
        assertThat(table).filteredOn(fact -> fact.startsWith("method ")).hasSize(43);
        assertThat(table).filteredOn(fact -> fact.startsWith("message ")).hasSize(175);
        assertThat(table).filteredOn(fact -> fact.startsWith("field ")).hasSize(478);
        assertThat(table).filteredOn(fact -> fact.startsWith("enum ")).hasSize(11);
        assertThat(table).filteredOn(fact -> fact.startsWith("value ")).hasSize(95);
    }

    @Test
    void namesOnTheWireAreTheOnesClientsUse() {
        assertThat(FILE.getPackage()).isEqualTo("runtime.v1");
        assertThat(RuntimeServiceGrpc.getVersionMethod().getFullMethodName())
                .isEqualTo("runtime.v1.RuntimeService/Version");
        assertThat(ImageServiceGrpc.getPullImageMethod().getFullMethodName())
                .isEqualTo("runtime.v1.ImageService/PullImage");
    }

    @Test
    void environmentValuesMayHoldAnyBytes() throws IOException {
        byte[] latin1 = {(byte) 0xe9, (byte) 0xff};
        KeyValue pair =
                KeyValue.newBuilder()
                        .setKey("NAME")
                        .setValue(com.google.protobuf.ByteString.copyFrom(latin1))
                        .build();
        assertThat(KeyValue.parseFrom(pair.toByteArray()).getValue().toByteArray())
                .isEqualTo(latin1);
    }

    /** Java's toString ignores the mark; the Go clients and our own logging go by it. */
    @Test
    void secretsAreMarkedAsSuch() {
        assertThat(AuthConfig.getDescriptor().getFields())
                .filteredOn(field -> field.getOptions().getDebugRedact())
                .extracting(FieldDescriptor::getName)
                .containsExactlyInAnyOrder("password", "auth", "identity_token", "registry_token");
    }
}
