package io.crema.image.store;

import io.crema.image.layer.LayerContent;
import java.io.IOException;
import java.io.InputStream;
import java.util.Optional;

/** The bytes of one layer on their way in, and what is kept of them when the way ends early. */
interface LayerBytes extends AutoCloseable {
    /** Opens a layer's bytes; nothing is fetched yet. */
    @FunctionalInterface
    interface Source {
        LayerBytes open(LayerProgress progress) throws IOException;

        /**
         * Where else the layer may be had when these bytes are wrong; empty for nowhere.
         *
         * @param placesDone how many places need not be asked again
         */
        default Optional<Source> elsewhere(int placesDone) {
            return Optional.empty();
        }

        /** Bytes of which nothing is kept. */
        static Source of(LayerContent.Source plain) {
            return progress -> new Passing(plain);
        }
    }

    /** Opened once. Closing the stream from another thread ends a waiting read. */
    InputStream stream() throws IOException;

    /**
     * Whether some of the bytes were kept by an earlier attempt, so that wrong ones may be worth
     * another attempt without those.
     */
    boolean isPatched();

    /** How many places need not be asked again when these bytes are wrong. */
    default int placesDone() {
        return 1;
    }

    /** Keeps nothing: the layer is whole, or the bytes are wrong. */
    void discard();

    @Override
    void close();

    /** Bytes of which nothing is kept. */
    record Passing(LayerContent.Source source) implements LayerBytes {
        @Override
        public InputStream stream() throws IOException {
            return source.open();
        }

        @Override
        public boolean isPatched() {
            return false;
        }

        @Override
        public void discard() {}

        @Override
        public void close() {}
    }
}
