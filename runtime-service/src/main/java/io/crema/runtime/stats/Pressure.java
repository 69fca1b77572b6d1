package io.crema.runtime.stats;

import io.crema.cri.v1.PsiData;
import io.crema.cri.v1.PsiStats;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Pressure stall information of one resource (the kernel's accounting/psi.rst).
 *
 * @param some while at least one task waited
 * @param full while all tasks waited at once
 */
record Pressure(Stall some, Stall full) {
    /** The share of time in percent over the last 10, 60 and 300 seconds, and the time in all. */
    record Stall(long totalNanos, double average10, double average60, double average300) {
        static final Stall NONE = new Stall(0, 0, 0, 0);

        PsiData message() {
            return PsiData.newBuilder()
                    .setTotal(totalNanos)
                    .setAvg10(average10)
                    .setAvg60(average60)
                    .setAvg300(average300)
                    .build();
        }
    }

    static @Nullable Pressure read(KernelText text, Path file) {
        if (!text.read(file)) {
            return null;
        }
        Stall some = Stall.NONE;
        Stall full = Stall.NONE; // kernels before 5.13 have no such line for the processor
        while (text.nextLine() && text.nextWord()) {
            if (text.wordIs("some")) {
                some = stall(text);
            } else if (text.wordIs("full")) {
                full = stall(text);
            }
        }
        return new Pressure(some, full);
    }

    private static Stall stall(KernelText text) {
        long totalMicros = 0;
        double average10 = 0;
        double average60 = 0;
        double average300 = 0;
        while (text.nextWord() && text.cutWordAt('=')) {
            if (text.wordIs("avg10")) {
                text.nextWord();
                average10 = text.decimal();
            } else if (text.wordIs("avg60")) {
                text.nextWord();
                average60 = text.decimal();
            } else if (text.wordIs("avg300")) {
                text.nextWord();
                average300 = text.decimal();
            } else if (text.wordIs("total")) {
                text.nextWord();
                totalMicros = text.number();
            } else {
                text.nextWord();
            }
        }
        return new Stall(totalMicros * 1000, average10, average60, average300);
    }

    PsiStats message() {
        return PsiStats.newBuilder().setSome(some.message()).setFull(full.message()).build();
    }
}
