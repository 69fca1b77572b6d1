package io.crema.cni;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.crema.base.ErrorKind;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.Map;
import java.util.Optional;

/**
 * A pod's traffic limits from its annotations, as the {@code bandwidth} capability wants them.
 * Kubernetes writes a quantity of bits per second: {@code 10M}, {@code 500k}, {@code 1Gi}.
 */
final class Bandwidth {
    static final String INGRESS = "kubernetes.io/ingress-bandwidth";
    static final String EGRESS = "kubernetes.io/egress-bandwidth";

    /** Kubernetes' own bounds of a sensible limit. */
    private static final BigDecimal MIN_BITS_PER_SECOND = BigDecimal.valueOf(1_000L);

    private static final BigDecimal MAX_BITS_PER_SECOND =
            BigDecimal.valueOf(1_000_000_000_000_000L);

    /** The bandwidth plugin's largest burst: just under 2^32 - 1 bytes, which means no limit. */
    private static final long MAX_BURST_BITS = 0xFFFF_FFFFL * 8 - 1;

    private static final int MAX_EXPONENT = 18;

    private Bandwidth() {}

    /** The capability's value; empty when the pod has no limits. */
    static Optional<ObjectNode> of(Map<String, String> annotations) {
        ObjectNode bandwidth = Json.object();
        limit(annotations, INGRESS)
                .ifPresent(bits ->
                        bandwidth.put("ingressRate", bits).put("ingressBurst", MAX_BURST_BITS));
        limit(annotations, EGRESS)
                .ifPresent(bits ->
                        bandwidth.put("egressRate", bits).put("egressBurst", MAX_BURST_BITS));
        return bandwidth.isEmpty() ? Optional.empty() : Optional.of(bandwidth);
    }

    private static Optional<Long> limit(Map<String, String> annotations, String key) {
        String text = annotations.get(key);
        if (text == null) {
            return Optional.empty();
        }
        BigDecimal bits =
                quantity(text)
                        .orElseThrow(() ->
                                invalid(
                                        key,
                                        text,
                                        "is not a quantity of bits per second such as" + " 10M"));
        if (bits.compareTo(MIN_BITS_PER_SECOND) < 0 || bits.compareTo(MAX_BITS_PER_SECOND) > 0) {
            throw invalid(key, text, "must lie between 1k and 1P bits per second");
        }
        return Optional.of(bits.longValueExact());
    }

    private static NetworkException invalid(String key, String text, String what) {
        return new NetworkException(
                ErrorKind.INVALID_ARGUMENT, "pod annotation " + key + " '" + text + "' " + what);
    }

    /**
     * A Kubernetes quantity, rounded up to a whole number: a decimal number and one of the suffixes
     * n, u, m, k, M, G, T, P, E, Ki to Ei, or an exponent such as e6.
     */
    static Optional<BigDecimal> quantity(String text) {
        int end = 0;
        while (end < text.length() && isNumberCharacter(text.charAt(end), end)) {
            end++;
        }
        Optional<BigDecimal> factor = factor(text.substring(end));
        if (factor.isEmpty() || end == 0 || end > 64) {
            return Optional.empty();
        }
        try {
            return Optional.of(
                    new BigDecimal(text.substring(0, end))
                            .multiply(factor.get())
                            .setScale(0, RoundingMode.CEILING));
        } catch (NumberFormatException e) {
            return Optional.empty();
        }
    }

    private static boolean isNumberCharacter(char c, int position) {
        return (c >= '0' && c <= '9') || c == '.' || (position == 0 && (c == '+' || c == '-'));
    }

    private static Optional<BigDecimal> factor(String suffix) {
        return switch (suffix) {
            case "" -> Optional.of(BigDecimal.ONE);
            case "n" -> Optional.of(BigDecimal.ONE.movePointLeft(9));
            case "u" -> Optional.of(BigDecimal.ONE.movePointLeft(6));
            case "m" -> Optional.of(BigDecimal.ONE.movePointLeft(3));
            case "k" -> Optional.of(BigDecimal.TEN.pow(3));
            case "M" -> Optional.of(BigDecimal.TEN.pow(6));
            case "G" -> Optional.of(BigDecimal.TEN.pow(9));
            case "T" -> Optional.of(BigDecimal.TEN.pow(12));
            case "P" -> Optional.of(BigDecimal.TEN.pow(15));
            case "E" -> Optional.of(BigDecimal.TEN.pow(18));
            case "Ki" -> Optional.of(BigDecimal.TWO.pow(10));
            case "Mi" -> Optional.of(BigDecimal.TWO.pow(20));
            case "Gi" -> Optional.of(BigDecimal.TWO.pow(30));
            case "Ti" -> Optional.of(BigDecimal.TWO.pow(40));
            case "Pi" -> Optional.of(BigDecimal.TWO.pow(50));
            case "Ei" -> Optional.of(BigDecimal.TWO.pow(60));
            default -> exponent(suffix);
        };
    }

    private static Optional<BigDecimal> exponent(String suffix) {
        if (suffix.length() > 4 || (suffix.charAt(0) != 'e' && suffix.charAt(0) != 'E')) {
            return Optional.empty();
        }
        try {
            int exponent = Integer.parseInt(suffix.substring(1));
            return Math.abs(exponent) <= MAX_EXPONENT
                    ? Optional.of(BigDecimal.ONE.scaleByPowerOfTen(exponent))
                    : Optional.empty();
        } catch (NumberFormatException e) {
            return Optional.empty();
        }
    }
}
