package io.crema.image.layer;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * A layer's bytes are not what a layer may be: malformed, hostile or beyond a bound. Says where and
 * why; {@link LayerUnpacker} adds which layer.
 */
public final class DamagedLayerException extends IOException {
    private final boolean isAsPromised;

    public DamagedLayerException(String message) {
        this(message, null);
    }

    public DamagedLayerException(String message, @Nullable Throwable cause) {
        this(message, cause, false);
    }

    /**
     * @param isAsPromised whether the bytes are those that the manifest names, so that no other
     *     place has better ones
     */
    DamagedLayerException(String message, @Nullable Throwable cause, boolean isAsPromised) {
        super(message, cause);
        this.isAsPromised = isAsPromised;
    }

    public boolean isAsPromised() {
        return isAsPromised;
    }
}
