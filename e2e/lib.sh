# Shared by run-pod, run-tests and benchmark: what a fresh Debian machine needs, and how to build.
# Source it; it does nothing by itself.
set -euo pipefail
REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export HOME=${HOME:-/root}
# Under sudo or CI the path may lack where toolchains are commonly installed.
for directory in /usr/local/go/bin "$HOME/go/bin" "$HOME/.cargo/bin" /usr/local/sbin /usr/sbin /sbin; do
  case :$PATH: in *:"$directory":*) ;; *) [ ! -d "$directory" ] || PATH=$PATH:$directory ;; esac
done
export PATH

say() { printf '\n==> %s\n' "$*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

need_root() {
  [ "$(id -u)" = 0 ] || die "must run as root: containers need mounts, namespaces and cgroups. Try: sudo $0 $*"
}

# need_kernel: the features without which no pod can run, each with what to do.
need_kernel() {
  [ "$(uname -s)" = Linux ] || die "Crema runs on Linux only"
  local missing=()
  grep -qw overlay /proc/filesystems || modprobe -q overlay 2>/dev/null || missing+=("overlayfs (CONFIG_OVERLAY_FS, or: modprobe overlay)")
  for n in net ipc uts pid mnt; do
    [ -e /proc/self/ns/$n ] || missing+=("$n namespaces (CONFIG_NAMESPACES)")
  done
  grep -qE ' cgroup2? ' /proc/mounts || missing+=("cgroups: nothing is mounted on /sys/fs/cgroup")
  ip link add crema-probe0 type veth peer name crema-probe1 2>/dev/null && ip link del crema-probe0 2>/dev/null \
    || missing+=("veth devices (CONFIG_VETH, or: modprobe veth)")
  ip link add crema-probe0 type bridge 2>/dev/null && ip link del crema-probe0 2>/dev/null \
    || missing+=("bridge devices (CONFIG_BRIDGE, or: modprobe bridge)")
  [ ${#missing[@]} = 0 ] || { printf 'error: this kernel (%s) lacks:\n' "$(uname -r)" >&2; printf '  - %s\n' "${missing[@]}" >&2; exit 1; }
}

# need_packages PACKAGE...: install the Debian packages that are missing.
need_packages() {
  local missing=() p
  for p in "$@"; do dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || missing+=("$p"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  command -v apt-get >/dev/null || die "please install by your distribution's means, apt-get is not here: ${missing[*]}"
  say "Installing from Debian's packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y -qq --no-install-recommends "${missing[@]}" >/tmp/crema-apt.log 2>&1 ||
    { apt-get update -qq >/tmp/crema-apt.log 2>&1 && apt-get install -y -qq --no-install-recommends "${missing[@]}" >>/tmp/crema-apt.log 2>&1; } ||
    { tail -5 /tmp/crema-apt.log >&2; die "apt-get could not install: ${missing[*]} (see /tmp/crema-apt.log)"; }
}

RUNTIME_PACKAGES=(runc conmon containernetworking-plugins catatonit iptables nftables iproute2 busybox-static util-linux)

# need_jdk: export JAVA_HOME of a JDK 25.
need_jdk() {
  local candidates=("${JAVA_HOME:-}" /usr/lib/jvm/*25* /opt/*25* "$HOME"/.sdkman/candidates/java/25*) home
  for home in "${candidates[@]}"; do
    [ -n "$home" ] && [ -x "$home/bin/javac" ] && grep -qs '^JAVA_VERSION="25' "$home/release" || continue
    export JAVA_HOME=$home; return 0
  done
  die "no JDK 25 found (looked at JAVA_HOME, /usr/lib/jvm and /opt). Install one, for example the package openjdk-25-jdk-headless or temurin-25-jdk, or set JAVA_HOME"
}

need_maven() { command -v mvn >/dev/null || need_packages maven; }

# build [MAVEN ARGS...]: leaves the runnable tree at cri-server/target/crema.
build() {
  local log; log=$(mktemp /tmp/crema-build.XXXXXX)
  say "Building with $(basename "$JAVA_HOME")"
  (cd "$REPO" && mvn -B -q -DskipTests "$@" package >"$log" 2>&1) ||
    { grep -m20 '^\[ERROR\]' "$log" >&2; die "the build failed; its whole output is in $log"; }
  rm -f "$log"
  [ -x "$REPO/cri-server/target/crema/bin/crema" ] || die "the build left no cri-server/target/crema/bin/crema"
}

# client CLASS [ARGS...]: run a program of e2e.
client() {
  "$JAVA_HOME/bin/java" -XX:TieredStopAtLevel=1 -XX:+UseSerialGC ${CLIENT_OPTIONS[@]+"${CLIENT_OPTIONS[@]}"} --enable-native-access=ALL-UNNAMED \
    --sun-misc-unsafe-memory-access=allow -cp "$REPO/e2e/target/classes:$REPO/cri-api/target/classes:$REPO/e2e/target/lib/*" "$@"
}
