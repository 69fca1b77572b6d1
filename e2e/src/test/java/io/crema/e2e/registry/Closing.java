package io.crema.e2e.registry;

import org.jspecify.annotations.Nullable;

/**
 * Gives back all that a test class has, whatever of it fails or was never made: a node that leaked
 * must not leave its registries and networks behind, too.
 */
public final class Closing {
    private Closing() {}

    /**
     * Closes each in its turn; null is one that a failed beginning has not made.
     *
     * @throws IllegalStateException with the first failure, which has the others
     */
    public static void all(@Nullable AutoCloseable... resources) {
        Throwable first = null;
        for (AutoCloseable resource : resources) {
            try {
                if (resource != null) {
                    resource.close();
                }
            } catch (Exception | AssertionError e) {
                if (first == null) {
                    first = e;
                } else {
                    first.addSuppressed(e);
                }
            }
        }
        if (first != null) {
            throw new IllegalStateException(first.getMessage(), first);
        }
    }
}
