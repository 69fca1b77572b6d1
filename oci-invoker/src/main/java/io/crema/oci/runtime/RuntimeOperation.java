package io.crema.oci.runtime;

import io.crema.base.ContainerId;
import io.crema.oci.runtime.OciRuntime.CheckpointPlaces;
import java.util.ArrayList;
import java.util.List;

/**
 * One call of an OCI runtime as a value that renders its own arguments. They are the same for every
 * {@link RuntimeDialect}; what a dialect cannot do is decided before an operation is made.
 */
sealed interface RuntimeOperation {
    /** The runtime's sub-command, also the word for error messages. */
    String verb();

    /** The sub-command and what follows it on the command line. */
    List<String> arguments();

    /** Lets the created process run the container's command. */
    record Start(ContainerId container) implements RuntimeOperation {
        @Override
        public String verb() {
            return "start";
        }

        @Override
        public List<String> arguments() {
            return List.of("start", container.value());
        }
    }

    /** Asks for the state as JSON. */
    record State(ContainerId container) implements RuntimeOperation {
        @Override
        public String verb() {
            return "state";
        }

        @Override
        public List<String> arguments() {
            return List.of("state", container.value());
        }
    }

    /**
     * Signals the first process, or all of the cgroup.
     *
     * @param signal by number, which all runtimes take
     */
    record Kill(ContainerId container, int signal, boolean all) implements RuntimeOperation {
        static final int HIGHEST_SIGNAL = 64;

        public Kill {
            if (signal < 1 || signal > HIGHEST_SIGNAL) {
                throw new IllegalArgumentException("signal " + signal);
            }
        }

        @Override
        public String verb() {
            return "kill";
        }

        @Override
        public List<String> arguments() {
            String number = Integer.toString(signal);
            return all
                    ? List.of("kill", "--all", container.value(), number)
                    : List.of("kill", container.value(), number);
        }
    }

    /** Deletes state and cgroup; forced, a living container is killed first. */
    record Delete(ContainerId container, boolean force) implements RuntimeOperation {
        @Override
        public String verb() {
            return "delete";
        }

        @Override
        public List<String> arguments() {
            return force
                    ? List.of("delete", "--force", container.value())
                    : List.of("delete", container.value());
        }
    }

    /** Changes limits to what comes on standard input. */
    record Update(ContainerId container) implements RuntimeOperation {
        @Override
        public String verb() {
            return "update";
        }

        @Override
        public List<String> arguments() {
            return List.of("update", "--resources", "-", container.value());
        }
    }

    /** Freezes all processes of a container. */
    record Pause(ContainerId container) implements RuntimeOperation {
        @Override
        public String verb() {
            return "pause";
        }

        @Override
        public List<String> arguments() {
            return List.of("pause", container.value());
        }
    }

    /** Lets a frozen container go on. */
    record Resume(ContainerId container) implements RuntimeOperation {
        @Override
        public String verb() {
            return "resume";
        }

        @Override
        public List<String> arguments() {
            return List.of("resume", container.value());
        }
    }

    /** Has CRIU write down a container's processes, which live on. */
    record Checkpoint(ContainerId container, CheckpointPlaces places) implements RuntimeOperation {
        /**
         * What processes may hold for CRIU to keep: connections of TCP and locks on files. Both
         * have to be told to the restore as well.
         */
        static final List<String> KEPT = List.of("--tcp-established", "--file-locks");

        @Override
        public String verb() {
            return "checkpoint";
        }

        @Override
        public List<String> arguments() {
            List<String> arguments = new ArrayList<>();
            arguments.add("checkpoint");
            arguments.add("--image-path");
            arguments.add(places.images().toString());
            arguments.add("--work-path");
            arguments.add(places.work().toString());
            arguments.add("--leave-running");
            arguments.addAll(KEPT);
            arguments.add(container.value());
            return List.copyOf(arguments);
        }
    }

    /** Asks for what the binary can do as JSON. */
    record Features() implements RuntimeOperation {
        @Override
        public String verb() {
            return "features";
        }

        @Override
        public List<String> arguments() {
            return List.of("features");
        }
    }

    /** Asks for the version as text. */
    record Version() implements RuntimeOperation {
        @Override
        public String verb() {
            return "version";
        }

        @Override
        public List<String> arguments() {
            return List.of("--version");
        }
    }
}
