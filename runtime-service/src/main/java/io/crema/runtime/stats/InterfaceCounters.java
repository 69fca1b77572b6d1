package io.crema.runtime.stats;

import io.crema.cri.v1.NetworkInterfaceUsage;
import io.crema.cri.v1.UInt64Value;

/** What one network interface received and transmitted since it was made. */
record InterfaceCounters(
        String name,
        long receivedBytes,
        long receivedPackets,
        long receiveErrors,
        long receiveDropped,
        long transmittedBytes,
        long transmittedPackets,
        long transmitErrors,
        long transmitDropped) {
    NetworkInterfaceUsage message() {
        return NetworkInterfaceUsage.newBuilder()
                .setName(name)
                .setRxBytes(UInt64Value.newBuilder().setValue(receivedBytes))
                .setRxErrors(UInt64Value.newBuilder().setValue(receiveErrors))
                .setTxBytes(UInt64Value.newBuilder().setValue(transmittedBytes))
                .setTxErrors(UInt64Value.newBuilder().setValue(transmitErrors))
                .build();
    }
}
