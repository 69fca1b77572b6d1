#!/bin/sh
# A stand-in for conmon. It runs the shell lines that the test planned for this call
# (plan/create.<n>, plan/create, plan/exec.<n>, plan/exec), and becomes the real conmon when they
# do not exit.
here=$(dirname "$0")
verb=create pid_file=
previous=
for argument in "$@"; do
    [ "$argument" = --exec ] && verb=exec
    [ "$previous" = --conmon-pidfile ] && pid_file=$argument
    previous=$argument
done

mkdir -p "$here/calls"
echo "$*" >> "$here/calls/$verb"
number=$(wc -l < "$here/calls/$verb")

# Writes a line to the sync pipe.
report() { eval "printf '%s\\n' \"\$1\" >&$_OCI_SYNCPIPE"; }

# Waits until the daemon lets it go on.
await_start() { eval "read -r go <&$_OCI_STARTPIPE"; }

# Never ends by itself.
hang() { exec sleep 100000; }

if [ -f "$here/plan/$verb.$number" ]; then . "$here/plan/$verb.$number"; fi
if [ -f "$here/plan/$verb" ]; then . "$here/plan/$verb"; fi

if [ ! -f "$here/real" ]; then
    echo "scripted conmon has no plan for call $number of $verb and no real conmon" >&2
    exit 1
fi
exec "$(cat "$here/real")" "$@"
