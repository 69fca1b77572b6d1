package io.crema.conf;

/** Checkpoint and restore ({@code [crio.checkpoint_restore]}). */
public record CheckpointConfiguration(ContainerLevel containerLevel) {
    /** What may be done with single containers. */
    public enum ContainerLevel {
        NONE("none"),
        CHECKPOINT_ONLY("checkpoint_only"),
        CHECKPOINT_RESTORE("checkpoint_restore");

        private final String word;

        ContainerLevel(String word) {
            this.word = word;
        }

        @Override
        public String toString() {
            return word;
        }
    }
}
