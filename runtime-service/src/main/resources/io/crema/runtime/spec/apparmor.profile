# What containers may do unless they ask for another profile. Loaded by the daemon itself; includes
# nothing, so that it needs no files of the distribution.
profile @NAME@ flags=(attach_disconnected,mediate_deleted) {
  file,
  network,
  capability,
  umount,

  # The node's own processes stop containers and look into them; containers reach only each other.
  signal (receive) peer=unconfined,
  signal (receive) peer={runc,crun,youki,conmon,crema},
  signal (send, receive) peer=@NAME@,
  ptrace (readby, tracedby) peer=unconfined,
  ptrace (read, readby, trace, tracedby) peer=@NAME@,

  # Mounting needs CAP_SYS_ADMIN anyway; whoever got that without being privileged stops here.
  deny mount,

  # /proc but the processes themselves. Of /proc/sys what belongs to the IPC namespace stays:
  # kernel/msg*, kernel/sem and kernel/shm*.
  deny /proc/[a-rt-z]** wkl,
  deny /proc/s[a-xz]** wkl,
  deny /proc/sys[a-z]** wkl,
  deny /proc/sys/[a-jl-z]** wkl,
  deny /proc/sys/kernel/[a-ln-rt-z_]** wkl,
  deny /proc/sys/kernel/m[a-rt-z]** wkl,
  deny /proc/sys/kernel/s[a-df-gi-z]** wkl,
  deny /proc/sys/kernel/se[a-ln-z]** wkl,
  deny /proc/{kcore,sysrq-trigger} rwkl,

  # /sys but the container's own control groups.
  deny /sys/[a-eg-z]** wkl,
  deny /sys/f[a-rt-z]** wkl,
  deny /sys/fs/[abd-z]** wkl,
  deny /sys/fs/c[a-fh-z]** wkl,
  deny /sys/firmware/** rwkl,
  deny /sys/kernel/security/** rwkl,
  deny /sys/devices/virtual/powercap/** rwkl,
}
