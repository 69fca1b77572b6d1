package io.crema.runtime.stats;

import io.crema.runtime.stats.CgroupDetail.DeviceTraffic;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Gathers what the files of either cgroup version say of block devices, one row for each. */
final class DeviceTable {
    static final int READ_BYTES = 0;
    static final int WRITTEN_BYTES = 1;
    static final int READS = 2;
    static final int WRITES = 3;

    /** By major number in the upper and minor number in the lower half. */
    private final Map<Long, long[]> rows = new LinkedHashMap<>();

    /** Version 1: lines such as {@code 254:0 Read 4096}, and a last one for the total. */
    void addOperations(KernelText text, int readColumn, int writeColumn) {
        while (text.nextLine()) {
            if (!text.nextWord() || text.wordIs("Total")) {
                continue;
            }
            long[] row = row(text);
            if (!text.nextWord()) {
                continue;
            }
            if (text.wordIs("Read")) {
                text.nextWord();
                row[readColumn] = text.number();
            } else if (text.wordIs("Write")) {
                text.nextWord();
                row[writeColumn] = text.number();
            }
        }
    }

    /** Version 2: lines such as {@code 254:0 rbytes=4096 wbytes=0 rios=1 wios=0 …}. */
    void addPairs(KernelText text) {
        while (text.nextLine()) {
            if (!text.nextWord()) {
                continue;
            }
            long[] row = row(text);
            while (text.nextWord() && text.cutWordAt('=')) {
                int column =
                        text.wordIs("rbytes")
                                ? READ_BYTES
                                : text.wordIs("wbytes")
                                        ? WRITTEN_BYTES
                                        : text.wordIs("rios")
                                                ? READS
                                                : text.wordIs("wios") ? WRITES : -1;
                text.nextWord();
                if (column >= 0) {
                    row[column] = text.number();
                }
            }
        }
    }

    private long[] row(KernelText text) {
        text.cutWordAt(':');
        long major = text.number();
        text.nextWord();
        return rows.computeIfAbsent((major << 32) | text.number(), device -> new long[4]);
    }

    List<DeviceTraffic> rows() {
        List<DeviceTraffic> devices = new ArrayList<>(rows.size());
        rows.forEach((device, row) ->
                devices.add(
                        new DeviceTraffic(
                                (int) (device >> 32),
                                device.intValue(),
                                row[READ_BYTES],
                                row[WRITTEN_BYTES],
                                row[READS],
                                row[WRITES])));
        return devices;
    }
}
