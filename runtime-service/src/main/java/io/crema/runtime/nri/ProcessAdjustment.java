package io.crema.runtime.nri;

import io.crema.nri.v1alpha1.Field;
import io.crema.nri.v1alpha1.IOPrioClass;
import io.crema.nri.v1alpha1.KeyValue;
import io.crema.nri.v1alpha1.LinuxIOPriority;
import io.crema.nri.v1alpha1.LinuxScheduler;
import io.crema.nri.v1alpha1.LinuxSchedulerPolicy;
import io.crema.nri.v1alpha1.POSIXRlimit;
import io.crema.oci.spec.ContainerProcess.IoPriority;
import io.crema.oci.spec.ContainerProcess.Rlimit;
import io.crema.oci.spec.ContainerProcess.Scheduler;
import io.crema.oci.spec.UnsignedLong;
import io.crema.runtime.spec.Handler;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** What plugins change of a container's first process. */
final class ProcessAdjustment {
    private static final String REMOVED = "-";
    private static final int LOWEST_OOM_SCORE = -1000;
    private static final int HIGHEST_OOM_SCORE = 1000;
    private static final int LOWEST_IO_PRIORITY = 7;

    private static final Set<String> RLIMITS =
            Set.of(
                    "RLIMIT_AS",
                    "RLIMIT_CORE",
                    "RLIMIT_CPU",
                    "RLIMIT_DATA",
                    "RLIMIT_FSIZE",
                    "RLIMIT_LOCKS",
                    "RLIMIT_MEMLOCK",
                    "RLIMIT_MSGQUEUE",
                    "RLIMIT_NICE",
                    "RLIMIT_NOFILE",
                    "RLIMIT_NPROC",
                    "RLIMIT_RSS",
                    "RLIMIT_RTPRIO",
                    "RLIMIT_RTTIME",
                    "RLIMIT_SIGPENDING",
                    "RLIMIT_STACK");

    private final SpecDraft draft;
    private final Refusals refusals;
    private final Handler handler;

    ProcessAdjustment(SpecDraft draft, Refusals refusals, Handler handler) {
        this.draft = draft;
        this.refusals = refusals;
        this.handler = handler;
    }

    /** A variable that is there keeps its place. */
    void environment(List<KeyValue> wanted) {
        for (KeyValue variable : wanted) {
            String name = variable.getKey();
            if (name.startsWith(REMOVED)) {
                draft.env.remove(name.substring(REMOVED.length()));
                continue;
            }
            if (name.indexOf('=') >= 0
                    || name.indexOf('\0') >= 0
                    || variable.getValue().indexOf('\0') >= 0) {
                throw refusals.of(
                        Field.Env,
                        name.replace('\0', '?'),
                        "a variable's name must not hold '=', and neither name nor value NUL");
            }
            draft.env.put(name, name + "=" + variable.getValue());
        }
    }

    void arguments(List<String> wanted) {
        if (wanted.isEmpty()) {
            return;
        }
        if (wanted.getFirst().isEmpty()
                || wanted.stream().anyMatch(one -> one.indexOf('\0') >= 0)) {
            throw refusals.of(
                    Field.Args, "the program must have a name, and no argument may hold NUL");
        }
        draft.args = List.copyOf(wanted);
    }

    void rlimits(List<POSIXRlimit> wanted) {
        for (POSIXRlimit limit : wanted) {
            if (!RLIMITS.contains(limit.getType())) {
                throw refusals.of(
                        Field.Rlimits,
                        limit.getType(),
                        "there is no such limit; they are called as RLIMIT_NOFILE is");
            }
            if (Long.compareUnsigned(limit.getSoft(), limit.getHard()) > 0) {
                throw refusals.of(
                        Field.Rlimits,
                        limit.getType(),
                        "the soft limit of "
                                + Long.toUnsignedString(limit.getSoft())
                                + " is above the hard one of "
                                + Long.toUnsignedString(limit.getHard()));
            }
            draft.rlimits.put(
                    limit.getType(),
                    new Rlimit(
                            limit.getType(),
                            UnsignedLong.of(limit.getHard()),
                            UnsignedLong.of(limit.getSoft())));
        }
    }

    void oomScore(long wanted, int floor) {
        if (wanted < LOWEST_OOM_SCORE || wanted > HIGHEST_OOM_SCORE) {
            throw refusals.of(Field.OomScoreAdj, wanted + " is not from -1000 to 1000");
        }
        if (wanted < floor) {
            throw refusals.of(
                    Field.OomScoreAdj,
                    wanted
                            + " is below "
                            + floor
                            + ", the lowest that this daemon may set without CAP_SYS_RESOURCE");
        }
        draft.oomScoreAdjustment = (int) wanted;
    }

    void ioPriority(LinuxIOPriority wanted) {
        if (wanted.getClass_() == IOPrioClass.IOPRIO_CLASS_NONE) {
            draft.ioPriority = null;
            return;
        }
        requireScheduling(Field.IoPriority);
        if (wanted.getPriority() < 0 || wanted.getPriority() > LOWEST_IO_PRIORITY) {
            throw refusals.of(
                    Field.IoPriority, "the priority " + wanted.getPriority() + " is not 0 to 7");
        }
        draft.ioPriority = new IoPriority(wanted.getClass_().name(), wanted.getPriority());
    }

    void scheduler(LinuxScheduler wanted) {
        if (wanted.getPolicy() == LinuxSchedulerPolicy.SCHED_NONE) {
            draft.scheduler = null;
            return;
        }
        requireScheduling(Field.LinuxSched);
        if (wanted.getNice() < -20 || wanted.getNice() > 19) {
            throw refusals.of(Field.LinuxSched, "nice is " + wanted.getNice() + ", not -20 to 19");
        }
        draft.scheduler =
                new Scheduler(
                        wanted.getPolicy().name(),
                        orNull(wanted.getNice()),
                        orNull(wanted.getPriority()),
                        wanted.getFlagsList().stream().map(Enum::name).toList(),
                        orNull(wanted.getRuntime()),
                        orNull(wanted.getDeadline()),
                        orNull(wanted.getPeriod()));
    }

    private static @Nullable Integer orNull(int value) {
        return value == 0 ? null : Integer.valueOf(value);
    }

    private static @Nullable UnsignedLong orNull(long value) {
        return value == 0 ? null : UnsignedLong.of(value);
    }

    /** Earlier runtimes start the container without a word, as if nothing had been asked for. */
    private void requireScheduling(Field field) {
        if (!handler.features().tuning().scheduling()) {
            throw refusals.of(
                    field,
                    "the OCI runtime of handler '"
                            + handler.name()
                            + "' does not set it; it needs one that knows version 1.1 of the OCI"
                            + " specification (runc 1.2, crun 1.9, youki 0.5)");
        }
    }
}
