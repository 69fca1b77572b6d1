package io.crema.server.grpc;

import com.google.protobuf.MessageLite;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.function.Function;

/**
 * Cuts a list into messages that any client takes, whatever the size of the node. An item that is
 * larger than a message should be travels alone. An empty list is no message at all.
 */
final class Pieces<I extends MessageLite, M> implements Iterator<M> {
    /** As CRI-O, roughly: few messages, each made in a moment. */
    private static final int MAX_ITEMS = 1000;

    /** Well below the four megabytes that gRPC clients take when they were not told otherwise. */
    private static final int MAX_BYTES = 1 << 20;

    private final List<I> items;
    private final Function<List<I>, M> message;
    private int next;

    /**
     * @param message makes a message of some of the items
     */
    Pieces(List<I> items, Function<List<I>, M> message) {
        this.items = items;
        this.message = message;
    }

    @Override
    public boolean hasNext() {
        return next < items.size();
    }

    @Override
    public M next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        List<I> piece = new ArrayList<>();
        long bytes = 0;
        while (hasNext() && piece.size() < MAX_ITEMS) {
            I item = items.get(next);
            bytes += item.getSerializedSize();
            if (bytes > MAX_BYTES && !piece.isEmpty()) {
                break;
            }
            piece.add(item);
            next++;
        }
        return message.apply(piece);
    }
}
