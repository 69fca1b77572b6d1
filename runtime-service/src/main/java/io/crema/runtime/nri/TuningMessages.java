package io.crema.runtime.nri;

import io.crema.nri.v1alpha1.IOPrioClass;
import io.crema.nri.v1alpha1.LinuxContainer;
import io.crema.nri.v1alpha1.LinuxIOPriority;
import io.crema.nri.v1alpha1.LinuxNetDevice;
import io.crema.nri.v1alpha1.LinuxRdt;
import io.crema.nri.v1alpha1.LinuxScheduler;
import io.crema.nri.v1alpha1.LinuxSchedulerFlag;
import io.crema.nri.v1alpha1.LinuxSchedulerPolicy;
import io.crema.nri.v1alpha1.LinuxSeccompArg;
import io.crema.nri.v1alpha1.LinuxSyscall;
import io.crema.nri.v1alpha1.OptionalBool;
import io.crema.nri.v1alpha1.OptionalRepeatedString;
import io.crema.nri.v1alpha1.OptionalString;
import io.crema.nri.v1alpha1.OptionalUInt32;
import io.crema.oci.spec.ContainerProcess;
import io.crema.oci.spec.LinuxSeccomp;
import io.crema.oci.spec.LinuxSeccomp.Argument;
import io.crema.oci.spec.LinuxSeccomp.Syscall;
import io.crema.oci.spec.LinuxSpec;
import io.crema.oci.spec.RuntimeSpec;
import io.crema.oci.spec.UnsignedLong;
import org.jspecify.annotations.Nullable;

/** What of a specification few containers have, and its seccomp filter, as plugins see it. */
final class TuningMessages {
    private TuningMessages() {}

    static void add(RuntimeSpec spec, LinuxContainer.Builder told) {
        ContainerProcess process = spec.process();
        if (process.ioPriority() != null) {
            told.setIoPriority(
                    LinuxIOPriority.newBuilder()
                            .setClass_(IOPrioClass.valueOf(process.ioPriority().ioClass()))
                            .setPriority(process.ioPriority().priority()));
        }
        if (process.scheduler() != null) {
            told.setScheduler(scheduler(process.scheduler()));
        }
        LinuxSpec linux = spec.linux();
        if (linux.seccomp() != null) {
            told.setSeccompPolicy(filter(linux.seccomp()));
        }
        linux.netDevices()
                .forEach((name, device) -> {
                    String inside = device.name();
                    told.putNetDevices(
                            name,
                            LinuxNetDevice.newBuilder()
                                    .setName(inside == null ? "" : inside)
                                    .build());
                });
        if (linux.intelRdt() != null) {
            told.setRdt(rdt(linux.intelRdt()));
        }
    }

    private static LinuxRdt rdt(LinuxSpec.IntelRdt rdt) {
        LinuxRdt.Builder message = LinuxRdt.newBuilder();
        if (rdt.closID() != null) {
            message.setClosId(OptionalString.newBuilder().setValue(rdt.closID()));
        }
        if (!rdt.schemata().isEmpty()) {
            message.setSchemata(OptionalRepeatedString.newBuilder().addAllValue(rdt.schemata()));
        }
        if (rdt.enableMonitoring() != null) {
            message.setEnableMonitoring(OptionalBool.newBuilder().setValue(rdt.enableMonitoring()));
        }
        return message.build();
    }

    private static LinuxScheduler scheduler(ContainerProcess.Scheduler scheduler) {
        LinuxScheduler.Builder message =
                LinuxScheduler.newBuilder()
                        .setPolicy(LinuxSchedulerPolicy.valueOf(scheduler.policy()))
                        .setRuntime(bits(scheduler.runtime()))
                        .setDeadline(bits(scheduler.deadline()))
                        .setPeriod(bits(scheduler.period()));
        if (scheduler.nice() != null) {
            message.setNice(scheduler.nice());
        }
        if (scheduler.priority() != null) {
            message.setPriority(scheduler.priority());
        }
        scheduler.flags().forEach(flag -> message.addFlags(LinuxSchedulerFlag.valueOf(flag)));
        return message.build();
    }

    private static long bits(@Nullable UnsignedLong number) {
        return number == null ? 0 : number.bits();
    }

    private static io.crema.nri.v1alpha1.LinuxSeccomp filter(LinuxSeccomp filter) {
        io.crema.nri.v1alpha1.LinuxSeccomp.Builder message =
                io.crema.nri.v1alpha1.LinuxSeccomp.newBuilder()
                        .setDefaultAction(filter.defaultAction())
                        .addAllArchitectures(filter.architectures())
                        .addAllFlags(filter.flags());
        if (filter.defaultErrnoRet() != null) {
            message.setDefaultErrno(number(filter.defaultErrnoRet()));
        }
        if (filter.listenerPath() != null) {
            message.setListenerPath(filter.listenerPath());
        }
        if (filter.listenerMetadata() != null) {
            message.setListenerMetadata(filter.listenerMetadata());
        }
        for (Syscall rule : filter.syscalls()) {
            LinuxSyscall.Builder one =
                    LinuxSyscall.newBuilder().addAllNames(rule.names()).setAction(rule.action());
            if (rule.errnoRet() != null) {
                one.setErrnoRet(number(rule.errnoRet()));
            }
            for (Argument argument : rule.args()) {
                UnsignedLong second = argument.valueTwo();
                one.addArgs(
                        LinuxSeccompArg.newBuilder()
                                .setIndex(argument.index())
                                .setValue(argument.value().bits())
                                .setValueTwo(second == null ? 0 : second.bits())
                                .setOp(argument.op()));
            }
            message.addSyscalls(one);
        }
        return message.build();
    }

    private static OptionalUInt32 number(int value) {
        return OptionalUInt32.newBuilder().setValue(value).build();
    }
}
