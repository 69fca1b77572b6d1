package io.crema.image.layer;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/**
 * A layer's bytes are not what a layer may be: malformed, hostile or beyond a bound. Says where and
 * why; {@link LayerUnpacker} adds which layer.
 */
public final class DamagedLayerException extends IOException {
    public DamagedLayerException(String message) {
        this(message, null);
    }

    public DamagedLayerException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
