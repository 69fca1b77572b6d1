package io.crema.e2e;

import io.crema.e2e.node.TestNode;
import org.junit.jupiter.api.Assumptions;

/** Says where a peer is known to answer otherwise, so that its run shows only what is new. */
final class Peers {
    private Peers() {}

    /** Ends the test on a peer; never on Crema. */
    static void differ(TestNode node, String why) {
        Assumptions.assumeTrue(node.runtime().isOurs(), why);
    }
}
