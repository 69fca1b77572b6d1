package io.crema.image.store;

import io.crema.image.registry.BlobStream;

/** Where the bytes of one blob come from. */
interface BlobRanges {
    /** Bytes from a position to the end, whatever it costs the server. */
    BlobStream open(long from, long end);

    /** Exactly these bytes; refused when the server would send others, too. */
    BlobStream openExactly(long from, long end);
}
