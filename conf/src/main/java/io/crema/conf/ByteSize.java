package io.crema.conf;

/** Numbers of bytes as people write them: {@code 12MiB}, {@code 500 KiB}, {@code 4096}. */
final class ByteSize {
    private static final String[] UNITS = {"B", "KiB", "MiB", "GiB", "TiB"};

    private ByteSize() {}

    /**
     * Units are powers of 1024, with or without {@code i} and {@code B}, in either case, as CRI-O
     * reads them.
     *
     * @throws IllegalArgumentException when the text is not a size
     */
    static long parse(String text) {
        int unitAt = 0;
        while (unitAt < text.length() && text.charAt(unitAt) >= '0' && text.charAt(unitAt) <= '9') {
            unitAt++;
        }
        try {
            long amount = Long.parseLong(text.substring(0, unitAt));
            return Math.multiplyExact(amount, factor(text.substring(unitAt).strip()));
        } catch (NumberFormatException | ArithmeticException e) {
            throw new IllegalArgumentException("'" + text + "' is not a size of 64 bits", e);
        }
    }

    private static long factor(String unit) {
        return switch (unit) {
            case "", "B", "b" -> 1;
            case "KiB", "Ki", "KB", "kB", "K", "k", "kb" -> 1L << 10;
            case "MiB", "Mi", "MB", "M", "m", "mb" -> 1L << 20;
            case "GiB", "Gi", "GB", "G", "g", "gb" -> 1L << 30;
            case "TiB", "Ti", "TB", "T", "t", "tb" -> 1L << 40;
            default -> throw new IllegalArgumentException("'" + unit + "' is not a unit of size");
        };
    }

    static String format(long bytes) {
        int unit = 0;
        long amount = bytes;
        while (amount != 0 && amount % 1024 == 0 && unit < UNITS.length - 1) {
            amount /= 1024;
            unit++;
        }
        return amount + UNITS[unit];
    }
}
