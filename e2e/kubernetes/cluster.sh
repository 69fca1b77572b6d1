# A Kubernetes node of our own: sourced by with-kubelet.
#
# Everything runs below one process, the init of a process namespace, and within its mount and network
# namespaces: what kubelet keeps at fixed places (/var/lib/kubelet, /var/log/pods, /run) is private there,
# and ending that process ends all of it.
KUBERNETES_VERSION=1.36.3
CRICTL_VERSION=1.36.0
STATE=/var/lib/crema-kubelet
NAMESPACE=crema-kubelet
CGROUP=crema-kubelet
NODE=crema-node
NODE_IP=10.77.0.1
BUSYBOX=localhost/crema/busybox:1
REGISTRY=127.0.0.1:5000
LOCKED=127.0.0.1:5001 # asks for a password
TOOLS=${CREMA_TOOLS:-/var/cache/crema-tools}
BIN=$TOOLS/kubernetes-$KUBERNETES_VERSION
KUBELET_GATES=${KUBELET_GATES:-"PodAndContainerStatsFromCRI: true"}
SOCKET=/run/cri/cri.sock
CREMA=$REPO/cri-server/target/crema/bin/crema

# The programs are main packages of modules that `go install` refuses (they have replacements), so a module
# of ours names them, with the checksums of all they are made of in its go.sum.
build_kubernetes() {
  local package name version=k8s.io/component-base/version flags
  flags="-s -w -X $version.gitVersion=v$KUBERNETES_VERSION -X $version.gitMajor=1 -X $version.gitMinor=36 -X $version.gitTreeState=clean"
  mkdir -p "$BIN" "$TOOLS/bin"
  for package in k8s.io/kubernetes/cmd/{kubelet,kubectl,kube-apiserver,kube-scheduler,kube-controller-manager,kubeadm} go.etcd.io/etcd/server/v3; do
    name=${package##*/}
    [ "$name" != v3 ] || name=etcd
    [ ! -x "$BIN/$name" ] || continue
    command -v go >/dev/null || need_packages golang-go
    say "Building $name"
    (cd "$REPO/e2e/kubernetes" && CGO_ENABLED=0 nice -n 15 go build -p 2 -ldflags "$flags" -o "$BIN/$name.new" "$package" && mv "$BIN/$name.new" "$BIN/$name")
  done
  [ -x "$TOOLS/bin/crictl-$CRICTL_VERSION" ] || (cd "$REPO/e2e/tools" && nice -n 15 go build -p 2 -ldflags \
    "-s -w -X sigs.k8s.io/cri-tools/pkg/version.Version=v$CRICTL_VERSION" -o "$TOOLS/bin/crictl-$CRICTL_VERSION" sigs.k8s.io/cri-tools/cmd/crictl)
}

# start_time PID: in the kernel's ticks, field 22; the second field may have spaces.
start_time() {
  local stat; stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  stat=${stat##*) }; set -- $stat; echo "${20}"
}
# holder_is_ours: that the node's first process is the one which is written down, and not another that has got
# its pid since: $STATE outlives a reboot.
holder_is_ours() {
  local pid= start=
  [ -s "$STATE/holder" ] && read -r pid start <"$STATE/holder" && [ -n "$start" ] &&
    [ "/proc/$pid/ns/net" -ef "/run/netns/$NAMESPACE" ] && [ "$(start_time "$pid")" = "$start" ]
}

# in_node COMMAND...: run it where kubelet runs.
in_node() {
  holder_is_ours || { echo "error: the node's first process (pid, start time: $(cat "$STATE/holder" 2>/dev/null)) is gone; with-kubelet --down clears up" >&2; return 1; }
  local pid; read -r pid _ <"$STATE/holder"
  nsenter --target "$pid" --mount --pid --net -- "$@"
}
kubectl() { in_node env KUBECONFIG="$STATE/admin.kubeconfig" HOME="$STATE/home" ${KUBECTL_ENVIRONMENT:-} "$BIN/kubectl" "$@"; }

# node_start NAME COMMAND...: in the background; its log is log/NAME, its pid (in the node) pid/NAME.
node_start() {
  local name=$1; shift
  in_node setsid sh -c 'echo $$ >"$0"; log=$1; shift; exec "$@" >>"$log" 2>&1 </dev/null' \
    "$STATE/pid/$name" "$STATE/log/$name" "$@" 9>&- >/dev/null 2>&1 &
}
# node_end NAME [SIGNAL]: and wait until it is gone.
node_end() {
  local pid; pid=$(cat "$STATE/pid/$1")
  in_node kill -"${2:-TERM}" "$pid" 2>/dev/null || return 0
  for _ in $(seq 300); do in_node kill -0 "$pid" 2>/dev/null || return 0; sleep 0.1; done
  die "$1 (pid $pid in the node) did not end within 30 s"
}
# until_ok SECONDS WHAT COMMAND...: until it succeeds; else says what did not come about.
until_ok() {
  local seconds=$1 what=$2 end output=; shift 2
  end=$((SECONDS + seconds))
  until output=$("$@" 2>&1); do
    [ $SECONDS -lt $end ] || die "not within $seconds s: $what; the last answer was: ${output:0:2000}"
    sleep 0.2
  done
}

# cluster_stands: all of it, on this endpoint.
cluster_stands() { [ -s "$STATE/endpoint" ] && [ "$(cat "$STATE/endpoint")" = "$ENDPOINT" ] && [ -e "$STATE/up" ] && holder_is_ours; }

make_certificates() {
  local p=$STATE/pki; mkdir -p "$p"
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=crema-kubelet-ca -keyout "$p/ca.key" -out "$p/ca.crt" 2>/dev/null
  openssl genrsa -out "$p/sa.key" 2048 2>/dev/null
  openssl rsa -in "$p/sa.key" -pubout -out "$p/sa.pub" 2>/dev/null
  certificate apiserver /CN=kube-apiserver "IP:127.0.0.1,IP:$NODE_IP,IP:10.96.0.1,DNS:kubernetes,DNS:kubernetes.default.svc"
  certificate apiserver-kubelet-client /O=system:masters/CN=kube-apiserver-kubelet-client
  certificate admin /O=system:masters/CN=kubernetes-admin
  certificate node "/O=system:nodes/CN=system:node:$NODE"
  certificate controller-manager /CN=system:kube-controller-manager
  certificate scheduler /CN=system:kube-scheduler
  local who
  for who in admin node controller-manager scheduler; do
    cat >"$STATE/$who.kubeconfig" <<Y
apiVersion: v1
kind: Config
current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:6443", certificate-authority: $p/ca.crt}}]
users: [{name: u, user: {client-certificate: $p/$who.crt, client-key: $p/$who.key}}]
Y
  done
}
certificate() { # NAME SUBJECT [ALTERNATIVE NAMES]
  openssl req -newkey rsa:2048 -nodes -subj "$2" -keyout "$STATE/pki/$1.key" 2>/dev/null |
    openssl x509 -req -CA "$STATE/pki/ca.crt" -CAkey "$STATE/pki/ca.key" -CAcreateserial -days 2 \
      -extfile <(printf 'extendedKeyUsage=serverAuth,clientAuth\n%s' "${3:+subjectAltName=$3}") -out "$STATE/pki/$1.crt" 2>/dev/null
}

configure_runtime() {
  local directory=$STATE/runtime
  mkdir -p "$directory/cni" "$directory/conf.d" "$directory/certs.d"
  cat >"$directory/cni/10-pods.conflist" <<J
{ "cniVersion": "1.0.0", "name": "pods", "plugins": [
  { "type": "bridge", "bridge": "pods0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
    "ipam": { "type": "host-local", "dataDir": "/run/ipam",
      "ranges": [[{ "subnet": "10.78.0.0/16" }]], "routes": [{ "dst": "0.0.0.0/0" }] } },
  { "type": "portmap", "capabilities": { "portMappings": true } } ] }
J
  cat >"$directory/crema.conf" <<T
[crio]
root = "$directory/root"
runroot = "/run/crema"
log_dir = "/var/log/pods"
version_file = "/run/crema/version"
[crio.api]
listen = "$SOCKET"
[crio.runtime]
default_runtime = "runc"
cgroup_manager = "cgroupfs"
namespaces_dir = "/run/crema"
container_exits_dir = "/run/crema/exits"
container_attach_socket_dir = "/run/crema/attach"
log_level = "debug"
[crio.runtime.runtimes.runc]
runtime_path = "$(command -v runc)"
runtime_root = "/run/crema/runc"
monitor_path = "$(command -v conmon)"
monitor_cgroup = "pod"
[crio.image]
signature_policy = "$directory/policy.json"
[crio.network]
network_dir = "$directory/cni"
plugin_dirs = ["/usr/lib/cni"]
[crio.nri]
nri_listen = "/run/crema/nri.sock"
T
  # The unsigned half of the registry is refused; only below that name.
  cat >"$directory/policy.json" <<J
{ "default": [{"type": "insecureAcceptAnything"}],
  "transports": { "docker": { "$REGISTRY/signed": [{"type": "sigstoreSigned", "keyPath": "$directory/cosign.pub"}] } } }
J
  openssl ecparam -name prime256v1 -genkey -noout | openssl ec -pubout -out "$directory/cosign.pub" 2>/dev/null
  local registry
  echo 'unqualified-search-registries = []' >"$directory/registries.conf"
  for registry in $REGISTRY $LOCKED 127.0.0.1:5999; do
    printf '[[registry]]\nlocation = "%s"\ninsecure = true\n' "$registry" >>"$directory/registries.conf"
    mkdir -p "$directory/certs.d/$registry"
    printf 'server = "http://%s"\n[host."http://%s"]\n  capabilities = ["pull", "resolve"]\n' "$registry" "$registry" >"$directory/certs.d/$registry/hosts.toml"
  done
  cat >"$directory/containerd.toml" <<T
version = 2
root = "$directory/containerd"
state = "/run/containerd-state"
[grpc]
  address = "$SOCKET"
[plugins."io.containerd.internal.v1.opt"]
  path = "$directory/opt"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "localhost/crema/pause:latest"
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$directory/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "$directory/certs.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
T
}

crema() { in_node "$CREMA" "$1" --config "$STATE/runtime/crema.conf" --config-dir "$STATE/runtime/conf.d" --registries-conf "$STATE/runtime/registries.conf" "${@:2}"; }
runtime_answers() { # nothing but the socket tells with containerd
  case $ENDPOINT in
  crema) crema status ;;
  containerd) in_node ctr --address "$SOCKET" version ;;
  esac
}
start_runtime() {
  case $ENDPOINT in
  crema) node_start runtime env JAVA_HOME="$JAVA_HOME" "$CREMA" --config "$STATE/runtime/crema.conf" --config-dir "$STATE/runtime/conf.d" \
    --registries-conf "$STATE/runtime/registries.conf" ;;
  containerd) node_start runtime containerd -c "$STATE/runtime/containerd.toml" ;;
  esac
  until_ok 60 "$ENDPOINT serves $SOCKET (log: $STATE/log/runtime)" runtime_answers
}

configure_kubelet() {
  cat >"$STATE/kubelet.yaml" <<Y
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix://${KUBELET_SOCKET:-$SOCKET}
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $STATE/pki/ca.crt}}
authorization: {mode: Webhook}
cgroupRoot: /$CGROUP
failCgroupV1: false
failSwapOn: false
resolvConf: $STATE/resolv.conf
clusterDNS: [10.96.0.10]
clusterDomain: cluster.local
staticPodPath: $STATE/manifests
fileCheckFrequency: 2s
serializeImagePulls: false
nodeStatusUpdateFrequency: 4s
containerLogMaxSize: 200Ki
containerLogMaxFiles: 3
containerLogMonitorInterval: 3s
crashLoopBackOff: {maxContainerRestartPeriod: 4s}
evictionHard: {memory.available: 100Mi, nodefs.available: 500Mi, imagefs.available: ${EVICTION:-500Mi}}
evictionPressureTransitionPeriod: 1s
volumePluginDir: $STATE/volume-plugins
${KUBELET_OPTIONS:-}
featureGates: {KubeletCrashLoopBackOffMax: true${KUBELET_GATES:+, $KUBELET_GATES}}
Y
}
kubelet_answers() { in_node curl -sSf http://127.0.0.1:10248/healthz; }
start_kubelet() {
  configure_kubelet
  node_start kubelet "$BIN/kubelet" --config "$STATE/kubelet.yaml" --kubeconfig "$STATE/node.kubeconfig" --hostname-override $NODE \
    --node-ip $NODE_IP --v 4
  until_ok 120 "kubelet is healthy (log: $STATE/log/kubelet)" kubelet_answers
}

# After a check that failed half way: as cluster_up left it.
mend_node() {
  node_end kubelet
  node_end runtime
  rm -f "$STATE"/manifests/*
  sed -i "s#^listen = .*#listen = \"$SOCKET\"#" "$STATE/runtime/crema.conf"
  start_runtime
  load_images
  start_kubelet
  until_ok 60 "the node is Ready" node_is_ready
  kubectl delete deployment,job,pod,configmap,secret --all --grace-period=1 --timeout=60s >/dev/null 2>&1 || true
}

# node_is_ready: and kubelet has found a runtime that had ended meanwhile ("crema://Unknown").
node_is_ready() {
  local told; told=$(kubectl get node $NODE -o jsonpath='{.status.conditions[?(@.type=="Ready")].status} {.status.nodeInfo.containerRuntimeVersion}')
  case $told in "True "*Unknown*) ;; "True "*) return 0 ;; esac
  echo "$told"; return 1
}

# The node's first process: mounts what is private to it, then waits and reaps.
read -r -d '' HOLDER <<'S' || true
set -e
state=$0
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/lock /run/cri /run/crema /run/crio /run/containerd
for place in /var/lib/kubelet /var/log/pods /var/log/containers /var/lib/cni /etc/kubernetes; do
  mount --bind "$state/private$place" "$place"
done
mount --make-rshared /
echo ready >"$state/holding"
exec catatonit -P
S

cluster_up() {
  say "Starting a Kubernetes $KUBERNETES_VERSION node on $ENDPOINT"
  node_up
  runtime_up
  control_plane_up
  start_kubelet
  until_ok 120 "the node is Ready (log: $STATE/log/kubelet)" node_is_ready
  until_ok 60 "pods may be made" kubectl get serviceaccount default
  touch "$STATE/up"
}

node_up() {
  mkdir -p "$STATE"/{pid,log,checks,home,manifests,volume-plugins,etcd,registry}
  echo "$ENDPOINT" >"$STATE/endpoint"
  # kubelet sets these for the whole machine; cluster_down sets them back.
  sysctl vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys kernel.keys.root_maxbytes >"$STATE/sysctls"
  local place controller
  for place in /var/lib/kubelet /var/log/pods /var/log/containers /var/lib/cni /etc/kubernetes; do
    [ -d $place ] || { mkdir -p $place; echo $place >>"$STATE/made"; }
    mkdir -p "$STATE/private$place"
  done
  # Without this some controllers would have the node in other groups than others, which kubelet refuses.
  for controller in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [ -e "$controller/cgroup.procs" ] || continue
    mkdir -p "$controller/$CGROUP"
    [ ! -e "$controller/cpuset.cpus" ] || [ -e "$controller/cgroup.controllers" ] || for place in "$controller/$CGROUP" "$controller/$CGROUP/node"; do
      mkdir -p "$place"
      cat "$controller/cpuset.cpus" >"$place/cpuset.cpus"
      cat "$controller/cpuset.mems" >"$place/cpuset.mems"
    done
    mkdir -p "$controller/$CGROUP/node"
  done
  ip netns add $NAMESPACE
  local net=(nsenter --net=/run/netns/$NAMESPACE --)
  "${net[@]}" ip link set lo up
  "${net[@]}" ip link add node0 type bridge
  "${net[@]}" ip address add $NODE_IP/24 dev node0
  "${net[@]}" ip link set node0 up
  "${net[@]}" ip route add default via $NODE_IP dev node0 # leads nowhere; kubelet wants to see one
  "${net[@]}" sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.route_localnet=1
  echo 'nameserver 10.77.0.1' >"$STATE/resolv.conf"

  (for controller in /sys/fs/cgroup/*/"$CGROUP/node" /sys/fs/cgroup/"$CGROUP/node"; do
    [ ! -e "$controller/cgroup.procs" ] || echo $BASHPID >"$controller/cgroup.procs"
  done
  exec setsid nsenter --net=/run/netns/$NAMESPACE -- unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
    bash -c "$HOLDER" "$STATE") >"$STATE/log/holder" 2>&1 </dev/null 9>&- &
  local unshared=$! pid
  until_ok 10 "the node's namespaces stand (log: $STATE/log/holder)" test -s "$STATE/holding"
  pid=$(pgrep -P $unshared)
  echo "$pid $(start_time "$pid")" >"$STATE/holder"
}

control_plane_up() {
  local p=$STATE/pki
  node_start etcd "$BIN/etcd" --data-dir "$STATE/etcd" --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --unsafe-no-fsync
  node_start apiserver "$BIN/kube-apiserver" --etcd-servers http://127.0.0.1:2379 --bind-address 127.0.0.1 --advertise-address $NODE_IP \
    --client-ca-file "$p/ca.crt" --tls-cert-file "$p/apiserver.crt" --tls-private-key-file "$p/apiserver.key" \
    --kubelet-client-certificate "$p/apiserver-kubelet-client.crt" --kubelet-client-key "$p/apiserver-kubelet-client.key" \
    --service-account-issuer https://kubernetes.default.svc --service-account-key-file "$p/sa.pub" --service-account-signing-key-file "$p/sa.key" \
    --service-cluster-ip-range 10.96.0.0/16 --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction \
    --allow-privileged --kubelet-preferred-address-types InternalIP --endpoint-reconciler-type none
  until_ok 180 "the API server is ready (log: $STATE/log/apiserver)" kubectl get --raw /readyz
  node_start controller-manager "$BIN/kube-controller-manager" --kubeconfig "$STATE/controller-manager.kubeconfig" --leader-elect=false \
    --service-account-private-key-file "$p/sa.key" --root-ca-file "$p/ca.crt" --use-service-account-credentials
  node_start scheduler "$BIN/kube-scheduler" --kubeconfig "$STATE/scheduler.kubeconfig" --leader-elect=false
}

runtime_up() {
  local place
  make_certificates
  start_registry registry 5000
  htpasswd -Bbn crema secret >"$STATE/htpasswd"
  start_registry locked 5001 "auth: {htpasswd: {realm: crema, path: $STATE/htpasswd}}"
  configure_runtime
  start_runtime
  client io.crema.e2e.image.BusyboxArchive "$(command -v busybox)" $BUSYBOX "$STATE/busybox.tar"
  client io.crema.e2e.image.BusyboxArchive "$(command -v busybox)" localhost/crema/pause:latest "$STATE/pause.tar" sleep 1000000
  load_images
  # Another image than the loaded one: kubelet lets nobody use an image that somebody pulled under another name.
  client io.crema.e2e.image.BusyboxArchive "$(command -v busybox)" pushed "$STATE/pushed.tar" sleep 1000000
  for place in $REGISTRY/busybox:1 $REGISTRY/signed/busybox:1 $REGISTRY/other:1; do push "$place"; done
  push $LOCKED/busybox:1 --dest-creds crema:secret
}

load_images() {
  local archive
  case $ENDPOINT in
  crema) crema load "$STATE/busybox.tar" ;;
  containerd) for archive in busybox pause; do in_node ctr --address "$SOCKET" --namespace k8s.io images import "$STATE/$archive.tar"; done ;;
  esac
}

start_registry() { # NAME PORT [YAML]
  printf 'version: 0.1\nlog: {level: warn}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "127.0.0.1:%s"}\n%s\n' \
    "$STATE/registry/$1" "$2" "${3:-}" >"$STATE/$1.yml"
  node_start "$1" docker-registry serve "$STATE/$1.yml"
  until_ok 20 "the registry on port $2 listens (log: $STATE/log/$1)" in_node sh -c "curl -s -o /dev/null http://127.0.0.1:$2/v2/"
}
push() { in_node skopeo copy -q --dest-tls-verify=false "${@:2}" "oci-archive:$STATE/pushed.tar" "docker://$1"; }

# cluster_down: also after a run that was killed half way.
cluster_down() {
  [ -d "$STATE" ] || return 0
  say "Taking the cluster down"
  local pid start m group
  # The init of a process namespace: with it ends everything that ran there.
  if holder_is_ours; then
    read -r pid start <"$STATE/holder"
    kill -9 "$pid"
    # It leaves its own namespaces before the others have ended: only that it is gone tells.
    for _ in $(seq 300); do [ "$(start_time "$pid")" = "$start" ] || break; sleep 0.1; done
  fi
  ip netns del $NAMESPACE 2>/dev/null || true
  for _ in $(seq 50); do
    find /sys/fs/cgroup -depth -type d \( -path "*/$CGROUP" -o -path "*/$CGROUP/*" \) -exec rmdir {} + 2>/dev/null || true
    [ -n "$(find /sys/fs/cgroup -type d -path "*/$CGROUP" -print -quit 2>/dev/null)" ] || break
    sleep 0.2
  done
  group=$(find /sys/fs/cgroup -type d -path "*/$CGROUP" 2>/dev/null || true)
  [ -z "$group" ] || echo "warning: left behind: $group" >&2
  [ ! -s "$STATE/sysctls" ] || sysctl -qp "$STATE/sysctls" 2>/dev/null || true
  [ ! -s "$STATE/made" ] || while read -r m; do rmdir "$m" || true; done <"$STATE/made"
  rm -rf --one-file-system "$STATE"
}
