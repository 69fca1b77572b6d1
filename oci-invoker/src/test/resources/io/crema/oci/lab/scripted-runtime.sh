#!/bin/sh
# A stand-in for an OCI runtime (runtime-spec command line as runc has it). Before it does what a
# runtime does, it runs the shell lines that the test planned for this call: plan/<verb>.<n> for the
# n-th call, plan/<verb> for every call. They see the variables below and may exit.
here=$(dirname "$0")
root= log= verb= bundle= pid_file= force= detach=
arguments="$*"
while [ $# -gt 0 ]; do
    case "$1" in
        --root=*) root=${1#*=} ;;
        --log=*) log=${1#*=} ;;
        --root) root=$2; shift ;;
        --log) log=$2; shift ;;
        --log-format) shift ;;
        --version) verb=version; shift; break ;;
        -*) ;;
        *) verb=$1; shift; break ;;
    esac
    shift
done
while [ $# -gt 0 ]; do
    case "$1" in
        --bundle) bundle=$2; shift ;;
        --pid-file) pid_file=$2; shift ;;
        --process | --resources | --console-socket) shift ;;
        --force) force=yes ;;
        --detach) detach=yes ;;
        -*) ;;
        *) break ;;
    esac
    shift
done
id=$1 signal=$2
state=$root/$id

mkdir -p "$here/calls"
echo "$arguments" >> "$here/calls/$verb"
number=$(wc -l < "$here/calls/$verb")

# Ends the call as runc does: one JSON line on standard error, or in the log and as plain text.
fail() {
    line="{\"level\":\"error\",\"msg\":\"$1\"}"
    if [ -n "$log" ]; then
        echo "$line" >> "$log"
        echo "$1" >&2
    else
        echo "$line" >&2
    fi
    exit 1
}

# Never ends by itself.
hang() { exec sleep 100000; }

known() { [ -d "$state" ] || fail "container does not exist"; }
alive() { kill -0 "$(cat "$state/pid")" 2> /dev/null; }

if [ -f "$here/plan/$verb.$number" ]; then . "$here/plan/$verb.$number"; fi
if [ -f "$here/plan/$verb" ]; then . "$here/plan/$verb"; fi

case "$verb" in
    create)
        [ -d "$state" ] && fail "container with given ID already exists"
        mkdir -p "$state"
        mkfifo "$state/go"
        # The container: waits for start, then runs what the test planned, else sleeps.
        (
            read -r go < "$state/go"
            if [ -f "$here/plan/container" ]; then . "$here/plan/container"; exit; fi
            exec sleep 100000
        ) &
        echo $! > "$state/pid"
        echo "$bundle" > "$state/bundle"
        printf %s $! > "$pid_file"
        ;;
    start)
        known
        alive || fail "cannot start a container that has stopped"
        echo go > "$state/go"
        touch "$state/started"
        ;;
    state)
        known
        status=stopped
        alive && status=created
        alive && [ -f "$state/started" ] && status=running
        printf '{"ociVersion":"1.0.2","id":"%s","status":"%s","pid":%s,"bundle":"%s"}\n' \
            "$id" "$status" "$(cat "$state/pid")" "$(cat "$state/bundle")"
        ;;
    kill)
        known
        kill "-$signal" "$(cat "$state/pid")" 2> /dev/null || fail "container not running"
        ;;
    delete)
        if [ ! -d "$state" ]; then
            [ -n "$force" ] && exit 0
            fail "container does not exist"
        fi
        [ -n "$force" ] && kill -9 "$(cat "$state/pid")" 2> /dev/null
        rm -rf "$state"
        ;;
    update)
        known
        cat > "$state/resources.json"
        ;;
    exec)
        known
        if [ -f "$here/plan/process" ]; then
            setsid sh "$here/plan/process" &
        else
            setsid true &
        fi
        printf %s $! > "$pid_file"
        [ -n "$detach" ] || wait $!
        ;;
    features)
        echo '{"ociVersionMin":"1.0.0","ociVersionMax":"1.1.0","mountOptions":["ro","rro"]}'
        ;;
    version)
        echo "scripted version 1.0"
        ;;
    *)
        fail "unknown command $verb"
        ;;
esac
