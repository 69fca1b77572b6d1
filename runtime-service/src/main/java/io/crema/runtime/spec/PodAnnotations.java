package io.crema.runtime.spec;

import io.crema.conf.RuntimeHandlerConfiguration;
import io.crema.runtime.state.PodException;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * The annotations by which a pod changes how its containers run. As in CRI-O, one counts only when
 * the handler's {@code allowed_annotations} name it, by its new name or its old one; of both the
 * new one wins.
 */
public final class PodAnnotations {
    private static final int MAX_UMASK_DIGITS = 4;

    /** The names that are honoured. */
    enum Known {
        SHARED_MEMORY_SIZE("shm-size.crio.io", "io.kubernetes.cri-o.ShmSize"),
        DEVICES("devices.crio.io", "io.kubernetes.cri-o.Devices"),
        UMASK("umask.crio.io", "io.kubernetes.cri-o.umask"),
        UNIFIED_CGROUP("unified-cgroup.crio.io", "io.kubernetes.cri-o.UnifiedCgroup"),
        SKIP_RELABELLING(
                "try-skip-volume-selinux-label.crio.io",
                "io.kubernetes.cri-o.TrySkipVolumeSELinuxLabel");

        private final String name;
        private final String oldName;

        Known(String name, String oldName) {
            this.name = name;
            this.oldName = oldName;
        }
    }

    private final Map<String, String> annotations;
    private final RuntimeHandlerConfiguration handler;

    public PodAnnotations(Map<String, String> annotations, RuntimeHandlerConfiguration handler) {
        this.annotations = annotations;
        this.handler = handler;
    }

    private Optional<String> value(Known known, String newSuffix, String oldSuffix) {
        boolean isAllowed = false;
        for (String allowed : handler.allowedAnnotations()) {
            isAllowed |=
                    !allowed.isEmpty()
                            && (known.name.startsWith(allowed)
                                    || known.oldName.startsWith(allowed)
                                    || (known.name + newSuffix).equals(allowed)
                                    || (known.oldName + oldSuffix).equals(allowed));
        }
        if (!isAllowed) {
            return Optional.empty();
        }
        return Optional.ofNullable(annotations.get(known.name + newSuffix))
                .or(() -> Optional.ofNullable(annotations.get(known.oldName + oldSuffix)));
    }

    /** The size of the pod's /dev/shm in bytes, written as Kubernetes writes quantities. */
    public Optional<Long> sharedMemoryBytes() {
        return value(Known.SHARED_MEMORY_SIZE, "", "")
                .map(text -> {
                    long bytes = quantity(text);
                    if (bytes <= 0) {
                        throw PodException.invalid(
                                "annotations: "
                                        + Known.SHARED_MEMORY_SIZE.name
                                        + " must be above 0");
                    }
                    return bytes;
                });
    }

    /** Devices for every container of the pod, in the form of additional_devices. */
    Optional<String> devices() {
        return value(Known.DEVICES, "", "");
    }

    /** Whether volumes whose top has the right label already are not walked through. */
    boolean skipsRelabelling() {
        return value(Known.SKIP_RELABELLING, "", "").filter("true"::equals).isPresent();
    }

    /** The umask of the containers' processes. */
    @Nullable Integer umask() {
        Optional<String> text = value(Known.UMASK, "", "");
        if (text.isEmpty()) {
            return null;
        }
        String digits = text.get();
        boolean isOctal = !digits.isEmpty() && digits.length() <= MAX_UMASK_DIGITS;
        for (int i = 0; i < digits.length(); i++) {
            isOctal &= digits.charAt(i) >= '0' && digits.charAt(i) <= '7';
        }
        if (!isOctal) {
            throw PodException.invalid(
                    "annotations: "
                            + Known.UMASK.name
                            + " must be up to four octal digits, not '"
                            + digits
                            + "'");
        }
        return Integer.valueOf(digits, 8);
    }

    /** Files of cgroup version 2 for one container, beside those of its request. */
    Map<String, String> unified(String container) {
        Map<String, String> unified = new TreeMap<>();
        Optional<String> text = value(Known.UNIFIED_CGROUP, "/" + container, "." + container);
        if (text.isEmpty()) {
            return unified;
        }
        for (String entry : text.get().split(";", -1)) {
            int equals = entry.indexOf('=');
            if (entry.isEmpty()) {
                continue;
            }
            if (equals <= 0) {
                throw PodException.invalid(
                        "annotations: "
                                + Known.UNIFIED_CGROUP.name
                                + ": '"
                                + entry
                                + "' is not FILE=BASE64");
            }
            unified.put(entry.substring(0, equals), decoded(entry.substring(equals + 1)));
        }
        return unified;
    }

    /** What is not base64 stands for itself, as in CRI-O. */
    private static String decoded(String text) {
        try {
            return new String(Base64.getDecoder().decode(text), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            return text;
        }
    }

    /** Kubernetes' resource.Quantity: 64Mi, 1.5G, 1e6; rounded up to whole bytes. */
    static long quantity(String text) {
        int unitAt = text.length();
        while (unitAt > 0 && Character.isLetter(text.charAt(unitAt - 1))) {
            unitAt--;
        }
        try {
            return new BigDecimal(text.substring(0, unitAt))
                    .multiply(factor(text.substring(unitAt)))
                    .setScale(0, RoundingMode.CEILING)
                    .longValueExact();
        } catch (ArithmeticException | NumberFormatException e) {
            throw PodException.invalid("'" + text + "' is not a quantity such as 64Mi");
        }
    }

    private static BigDecimal factor(String unit) {
        return switch (unit) {
            case "" -> BigDecimal.ONE;
            case "m" -> new BigDecimal("0.001");
            case "k" -> new BigDecimal(1_000L);
            case "M" -> new BigDecimal(1_000_000L);
            case "G" -> new BigDecimal(1_000_000_000L);
            case "T" -> new BigDecimal(1_000_000_000_000L);
            case "Ki" -> new BigDecimal(1L << 10);
            case "Mi" -> new BigDecimal(1L << 20);
            case "Gi" -> new BigDecimal(1L << 30);
            case "Ti" -> new BigDecimal(1L << 40);
            default -> throw new NumberFormatException(unit);
        };
    }
}
