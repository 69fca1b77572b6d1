# What a node does with pods beyond their everyday: sourced by with-kubelet after checks.sh.

check_debug() {
  sleeper patient
  local out
  kubectl debug patient -c debugger --image=$BUSYBOX --target=main -- sh -c 'ps; cat /proc/1/cmdline | tr "\0" " "' >/dev/null 2>&1
  until_ok 60 'the ephemeral container ends' ephemeral_ended
  out=$(kubectl logs patient -c debugger)
  matches 'the target seen by the ephemeral container' 'sleep 1000000' "$out"
  equal 'restarts of the target' 0 "$(field patient '.status.containerStatuses[0].restartCount')"
  drop pod patient
}
ephemeral_ended() { [ "$(field patient '.status.ephemeralContainerStatuses[0].state.terminated.reason')" = Completed ]; }

check_host_namespaces() {
  apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: host}
spec: {terminationGracePeriodSeconds: 1, hostNetwork: true, hostPID: true, hostIPC: true, containers: [{name: main, image: $BUSYBOX, command: [sleep, "1000000"], securityContext: {privileged: true}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: together}
spec:
  terminationGracePeriodSeconds: 1
  shareProcessNamespace: true
  containers:
  - {name: one, image: $BUSYBOX, command: [sleep, "1111"]}
  - {name: two, image: $BUSYBOX, command: [sleep, "2222"]}
Y
  ready pod host together
  matches 'processes of the node' 'kube-apiserver' "$(kubectl exec host -- ps)"
  matches 'network of the node' "$NODE_IP" "$(kubectl exec host -- ip address)"
  equal 'address of a pod on the host network' $NODE_IP "$(field host .status.podIP)"
  matches 'privileged' $'CapEff:\t[0-9a-f]*f' "$(kubectl exec host -- grep CapEff /proc/1/status)"
  local seen; seen=$(kubectl exec together -c one -- ps)
  matches 'first container' 'sleep 1111' "$seen"
  matches 'second container' 'sleep 2222' "$seen"
  drop pod host together
}

check_user_namespace() {
  local supported; supported=$(kubectl get node $NODE -o json | jq -r '[.status.runtimeHandlers[]?|select(.features.userNamespaces)]|length')
  apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: mapped}
spec:
  terminationGracePeriodSeconds: 1
  hostUsers: false
  containers: [{name: main, image: $BUSYBOX, command: [sh, -c, 'echo x >/data/file; exec sleep 1000000'], volumeMounts: [{name: data, mountPath: /data}, {name: settings, mountPath: /settings}]}]
  volumes: [{name: data, emptyDir: {}}, {name: settings, downwardAPI: {items: [{path: name, fieldRef: {fieldPath: metadata.name}}]}}]
Y
  if [ "$supported" = 0 ]; then
    describe_tells mapped 'user namespaces?'
    echo "NOTE refused by kubelet: the runtime handler does not support user namespaces"
  else
    ready pod mapped
    local map; map=$(kubectl exec mapped -- cat /proc/self/uid_map)
    matches 'map of users' '^ +0 +[1-9][0-9]+ +65536' "$map"
    equal 'owner in a volume' 0 "$(kubectl exec mapped -- stat -c %u /data/file)"
    equal 'a volume that kubelet writes' mapped "$(kubectl exec mapped -- cat /settings/name)"
    echo "NOTE uid map $(tr -s ' ' <<<"$map")"
  fi
  drop pod mapped
}

check_image_volume() {
  apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: artifact}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: $BUSYBOX, command: [sleep, "1000000"], volumeMounts: [{name: image, mountPath: /image}, {name: image, mountPath: /below, subPath: etc}]}]
  volumes: [{name: image, image: {reference: $REGISTRY/other:1, pullPolicy: IfNotPresent}}]
Y
  ready pod artifact
  matches 'files of the image' 'root:x:0' "$(kubectl exec artifact -- cat /image/etc/passwd /below/passwd)"
  matches 'read-only' 'Read-only' "$(kubectl exec artifact -- touch /image/x 2>&1 || true)"
  drop pod artifact
  apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: no-artifact}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: $BUSYBOX, command: [sleep, "1000000"], volumeMounts: [{name: image, mountPath: /image, subPath: not/there}]}]
  volumes: [{name: image, image: {reference: $REGISTRY/other:1}}]
Y
  describe_tells no-artifact 'not/there'
  echo "NOTE missing subPath is told as $(field no-artifact '.status.containerStatuses[0].state.waiting.reason')"
  drop pod no-artifact
}

check_resize() {
  apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: grows}
spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: $BUSYBOX, command: [sleep, "1000000"], resources: {requests: {cpu: 100m, memory: 32Mi}, limits: {cpu: 200m, memory: 64Mi}}}]}
Y
  ready pod grows
  kubectl patch pod grows --subresource resize -p '{"spec":{"containers":[{"name":"main","resources":{"requests":{"cpu":"150m","memory":"48Mi"},"limits":{"cpu":"300m","memory":"96Mi"}}}]}}' >/dev/null
  becomes grows '.status.containerStatuses[0].resources.limits.cpu} {.status.containerStatuses[0].resources.limits.memory' '300m 96Mi'
  until_ok 20 'the cgroup has the new limit' sh_in grows 'test "$(cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max)" = 100663296'
  kubectl patch pod grows --subresource resize -p '{"spec":{"containers":[{"name":"main","resources":{"limits":{"memory":"80Mi"}}}]}}' >/dev/null
  becomes grows '.status.containerStatuses[0].resources.limits.memory' 80Mi
  equal 'restarts' 0 "$(field grows '.status.containerStatuses[0].restartCount')"
  matches 'no resize is pending' '^$' "$(field grows '.status.conditions[?(@.type=="PodResizePending")].message')"
  drop pod grows
}

check_static_pod() {
  cat >"$STATE/manifests/static.yaml" <<Y
apiVersion: v1
kind: Pod
metadata: {name: static, namespace: default}
spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: $BUSYBOX, imagePullPolicy: IfNotPresent, command: [sleep, "1000000"]}]}
Y
  until_ok 60 'the mirror pod is there' kubectl get pod static-$NODE
  ready pod static-$NODE
  rm "$STATE/manifests/static.yaml"
  kubectl wait --for=delete pod/static-$NODE --timeout=60s >/dev/null
}

summary() { kubectl get --raw /api/v1/nodes/$NODE/proxy/stats/summary; }
# Every leaf that the interface knows for a Linux pod, from the runtime's statistics.
SUMMARY_FIELDS='["cpu.usageNanoCores","cpu.usageCoreNanoSeconds","memory.workingSetBytes","memory.usageBytes","memory.rssBytes","memory.pageFaults","memory.majorPageFaults","network.rxBytes","network.txBytes","process_stats.process_count","ephemeral-storage.usedBytes","ephemeral-storage.capacityBytes","containers.0.cpu.usageNanoCores","containers.0.cpu.usageCoreNanoSeconds","containers.0.memory.availableBytes","containers.0.memory.workingSetBytes","containers.0.memory.usageBytes","containers.0.memory.rssBytes","containers.0.rootfs.usedBytes","containers.0.rootfs.capacityBytes","containers.0.rootfs.inodesUsed","containers.0.logs.usedBytes","containers.0.startTime","volume.0.usedBytes","startTime"]'
summary_complete() {
  local lacking
  lacking=$(summary | jq -r --argjson fields "$SUMMARY_FIELDS" '[.pods[]|select(.podRef.name=="measured")][0] as $pod
    | if $pod == null then "the pod" else $fields[] | . as $f | ($f/"."|map(tonumber? // .)) as $p | select(($pod|getpath($p)) == null) | $f end')
  [ -z "$lacking" ] || { echo "lacking: $lacking"; return 1; }
}
check_stats_summary() {
  apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: measured}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: $BUSYBOX, command: [sh, -c, 'echo log; dd if=/dev/zero of=/file bs=1M count=5 2>/dev/null; while true; do :; done'], resources: {limits: {cpu: 100m, memory: 64Mi}}, volumeMounts: [{name: data, mountPath: /data}]}]
  volumes: [{name: data, emptyDir: {}}]
Y
  ready pod measured
  until_ok 60 'the summary of the pod is complete' summary_complete
  until_ok 40 'the summary tells 5 MiB of written files' wrote_five
  local node; node=$(summary | jq -c '.node|[.cpu.usageNanoCores,.memory.workingSetBytes,.fs.usedBytes,.runtime.imageFs.usedBytes,.runtime.containerFs.usedBytes,.rlimit.curproc]')
  matches 'the node itself' '^\[[0-9]+(,[0-9]+)*\]$' "$node"
  matches '/metrics/resource' 'pod_cpu_usage_seconds_total\{namespace="default",pod="measured"\}' "$(kubectl get --raw /api/v1/nodes/$NODE/proxy/metrics/resource)"
  until_ok 40 'kubelet tells all metrics of the container' metrics_complete
  drop pod measured
}
wrote_five() { [ "$(summary | jq '[.pods[]|select(.podRef.name=="measured")][0].containers[0].rootfs.usedBytes')" -ge 5000000 ]; }
metrics_complete() {
  local all name lacking=()
  all=$(kubectl get --raw /api/v1/nodes/$NODE/proxy/metrics/cadvisor | grep 'pod="measured"' | grep 'namespace="default"')
  for name in cpu_usage_seconds_total cpu_user_seconds_total cpu_system_seconds_total cpu_cfs_periods_total cpu_cfs_throttled_periods_total \
    memory_working_set_bytes memory_rss memory_cache memory_usage_bytes memory_failcnt memory_max_usage_bytes fs_usage_bytes \
    processes threads start_time_seconds spec_cpu_quota spec_cpu_shares spec_memory_limit_bytes last_seen; do
    grep -q "^container_$name{.*container=\"main\"" <<<"$all" || lacking+=("$name")
  done
  for name in receive_bytes_total transmit_bytes_total receive_packets_total; do
    grep -q "^container_network_$name{.*interface=\"eth0\"" <<<"$all" || lacking+=("network_$name")
  done
  [ ${#lacking[@]} = 0 ] || { echo "lacking: ${lacking[*]}"; return 1; }
}

pod_of() { # NAME IMAGE [MORE]
  printf -- '---\napiVersion: v1\nkind: Pod\nmetadata: {name: %s}\nspec: {terminationGracePeriodSeconds: 1, %s containers: [{name: main, image: "%s", imagePullPolicy: Always, command: [sleep, "1000000"]}]}\n' "$1" "${3:-}" "$2"
}
check_pull_errors() {
  kubectl create secret docker-registry right --docker-server=$LOCKED --docker-username=crema --docker-password=secret >/dev/null
  kubectl create secret docker-registry wrong --docker-server=$LOCKED --docker-username=crema --docker-password=guess >/dev/null
  {
    pod_of pulled $REGISTRY/busybox:1
    pod_of no-name $REGISTRY/no/such:1
    pod_of no-tag $REGISTRY/busybox:nine
    pod_of no-registry 127.0.0.1:5999/busybox:1
    pod_of unsigned $REGISTRY/signed/busybox:1
    pod_of no-password $LOCKED/busybox:1
    pod_of right-password $LOCKED/busybox:1 'imagePullSecrets: [{name: right}],'
    pod_of wrong-password $LOCKED/busybox:1 'imagePullSecrets: [{name: wrong}],'
    pod_of bad-name 'UPPER/busybox::1'
    pod_of no-digest "$REGISTRY/busybox@sha256:$(printf '0%.0s' $(seq 64))"
  } | apply
  ready pod pulled right-password
  describe_tells no-name 'Failed to pull image.*(not found|name unknown|manifest unknown|repository)'
  describe_tells no-tag 'Failed to pull image.*(not found|manifest unknown)'
  describe_tells no-digest 'Failed to pull image.*(not found|manifest unknown)'
  describe_tells no-registry 'Failed to pull image.*127.0.0.1:5999.*refused'
  describe_tells no-password 'Failed to pull image.*(401|nauthorized|authorization|authentication|credentials)'
  describe_tells wrong-password 'Failed to pull image.*(401|nauthorized|authorization|authentication|credentials)'
  becomes bad-name '.status.containerStatuses[0].state.waiting.reason' InvalidImageName
  if [ "$ENDPOINT" = crema ]; then
    becomes no-registry '.status.containerStatuses[0].state.waiting.reason' 'RegistryUnavailable|ImagePullBackOff'
    describe_tells no-registry 'Error: RegistryUnavailable'
    describe_tells unsigned 'Error: SignatureValidationFailed'
  fi
  local pod
  for pod in no-name no-tag no-registry unsigned no-password; do
    echo "$pod: $(kubectl get events --field-selector involvedObject.name=$pod -o json | jq -r '[.items[]|select(.reason=="Failed")|.message]|unique|join(" | ")')"
  done
  drop pod pulled no-name no-tag no-registry unsigned no-password right-password wrong-password bad-name no-digest
  drop secret right wrong
}

# of_kubelet METRIC: the sum and the count of one of its histograms over all labels.
of_kubelet() { kubectl get --raw /api/v1/nodes/$NODE/proxy/metrics | awk -v m="$1" 'index($1, m "_sum")==1{s+=$NF} index($1, m "_count")==1{c+=$NF} END{print s+0, c+0}'; }
mean_since() { # METRIC BEFORE: the mean in milliseconds of what was counted since then
  echo "$2 $(of_kubelet "$1")" | awk '{print ($4 > $2) ? int(1000 * ($3 - $1) / ($4 - $2)) : "?"}'
}
# Twenty at once, then ten one after another; how long, as kubelet measures it.
check_many() {
  local begin=$SECONDS all start sandbox one one_sandbox gone i
  start=$(of_kubelet kubelet_pod_start_sli_duration_seconds) sandbox=$(of_kubelet kubelet_run_podsandbox_duration_seconds)
  apply <<Y
apiVersion: apps/v1
kind: Deployment
metadata: {name: many}
spec:
  replicas: 20
  selector: {matchLabels: {app: many}}
  template: {metadata: {labels: {app: many}}, spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: $BUSYBOX, command: [sleep, "1000000"]}]}}
Y
  kubectl rollout status deployment many --timeout=300s >/dev/null
  all=$(seconds_since "$begin")
  start=$(mean_since kubelet_pod_start_sli_duration_seconds "$start") sandbox=$(mean_since kubelet_run_podsandbox_duration_seconds "$sandbox")
  begin=$SECONDS
  drop deployment many
  kubectl wait --for=delete pod -l app=many --timeout=120s >/dev/null
  gone=$(seconds_since "$begin")
  one=$(of_kubelet kubelet_pod_start_sli_duration_seconds) one_sandbox=$(of_kubelet kubelet_run_podsandbox_duration_seconds)
  for i in $(seq 10); do sleeper "single-$i"; done
  one=$(mean_since kubelet_pod_start_sli_duration_seconds "$one") one_sandbox=$(mean_since kubelet_run_podsandbox_duration_seconds "$one_sandbox")
  drop pod $(seq -f 'single-%g' 10)
  echo "NOTE 20 pods: Ready after $all s, mean start $start ms (sandbox $sandbox), gone after $gone s; one at a time: start $one ms (sandbox $one_sandbox)"
}

started_at() { kubectl get pods -o json | jq -c '[.items[]|{(.metadata.name):[.status.containerStatuses[]?|[.containerID,.restartCount,.state.running.startedAt]]}]|sort'; }
check_kubelet_restart() {
  sleeper stays
  local before; before=$(started_at)
  restart_kubelet
  sleep 8
  equal 'pods after a restart of kubelet' "$before" "$(started_at)"
  until_ok 60 'kubectl exec works' kubectl exec stays -- true
  drop pod stays
}

check_runtime_killed() {
  apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: counts}
spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: $BUSYBOX, command: [sh, -c, 'i=0; while true; do echo \$i; i=\$((i+1)); sleep 0.2; done']}]}
---
apiVersion: v1
kind: Pod
metadata: {name: ends}
spec: {restartPolicy: Never, containers: [{name: main, image: $BUSYBOX, command: [sh, -c, 'sleep 12; exit 9']}]}
Y
  ready pod counts ends
  local before; before=$(kubectl get pod counts -o json | jq -c '.status.containerStatuses[]|[.containerID,.restartCount,.state]')
  node_end runtime KILL
  sleep 14 # ends ends while nobody looks
  start_runtime
  becomes ends .status.phase Failed
  equal 'exit code of the container that ended meanwhile' 9 "$(field ends '.status.containerStatuses[0].state.terminated.exitCode')"
  until_ok 60 'the node is Ready' node_is_ready
  until_ok 60 'kubectl exec works' kubectl exec counts -- true
  equal 'the pod that ran on' "$before" "$(kubectl get pod counts -o json | jq -c '.status.containerStatuses[]|[.containerID,.restartCount,.state]')"
  local lines; lines=$(kubectl logs counts)
  equal 'the log has no gap' "$(seq 0 $(($(wc -l <<<"$lines") - 1)))" "$lines"
  drop pod counts ends
}

check_evented_pleg() {
  local gates=$KUBELET_GATES
  KUBELET_GATES="$gates, EventedPLEG: true"
  restart_kubelet
  local begin=$SECONDS
  sleeper evented
  apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: brief}
spec: {restartPolicy: Never, containers: [{name: main, image: $BUSYBOX, command: [sh, -c, 'exit 4']}]}
Y
  becomes brief .status.phase Failed
  equal 'exit code' 4 "$(field brief '.status.containerStatuses[0].state.terminated.exitCode')"
  local metrics; metrics=$(kubectl get --raw /api/v1/nodes/$NODE/proxy/metrics | grep -E '^kubelet_evented_pleg_connection_(success|error)_count' || true)
  matches 'connections' 'success_count [1-9]' "$metrics"
  echo "NOTE $(tr '\n' ' ' <<<"$metrics")"
  drop pod evented brief
  KUBELET_GATES=$gates
  restart_kubelet
}

crictl() { in_node "$TOOLS/bin/crictl-$CRICTL_VERSION" --timeout 30s -r "unix://${KUBELET_SOCKET:-$SOCKET}" -i "unix://${KUBELET_SOCKET:-$SOCKET}" "$@"; }
has_image() { crictl images -o json | jq -e --arg name "$1" 'any(.images[]; .repoTags|index($name))' >/dev/null; }
lacks_image() { ! has_image "$1"; }
# A disk that is too full, as kubelet is told: it removes images that nobody uses, then a pod.
check_disk_pressure() {
  pod_of fetches $REGISTRY/busybox:1 | apply
  sleeper keeps
  ready pod fetches
  drop pod fetches
  has_image $REGISTRY/busybox:1 || die 'the image is gone already'
  EVICTION=100000Gi KUBELET_OPTIONS='imageMinimumGCAge: 1s'
  node_end kubelet
  start_kubelet
  until_ok 90 'kubelet has removed the image that nobody uses' lacks_image $REGISTRY/busybox:1
  becomes keeps .status.reason Evicted
  matches 'the reason of the eviction' 'low on resource: (ephemeral-storage|imagefs)' "$(field keeps .status.message)"
  EVICTION='' KUBELET_OPTIONS=''
  restart_kubelet
  load_images
  until_ok 60 'the pressure is over' no_pressure
  drop pod keeps
}
no_pressure() { [ -z "$(kubectl get node $NODE -o 'jsonpath={.spec.taints}')" ]; }
restart_kubelet() {
  node_end kubelet
  start_kubelet
  until_ok 60 'the node is Ready' node_is_ready
}

# As kubelet knows CRI-O: by this path of the socket it takes its statistics from cAdvisor, which asks us there.
check_crio_socket() {
  [ "$ENDPOINT" = crema ] || { echo 'NOTE only for Crema'; return; }
  local path=/var/run/crio/crio.sock
  apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: measured}
spec:
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: $BUSYBOX, command: [sh, -c, 'echo log; dd if=/dev/zero of=/file bs=1M count=5 2>/dev/null; while true; do :; done'], resources: {limits: {cpu: 100m, memory: 64Mi}}, volumeMounts: [{name: data, mountPath: /data}]}]
  volumes: [{name: data, emptyDir: {}}]
Y
  ready pod measured
  local before; before=$(started_at)
  node_end kubelet
  node_end runtime
  sed -i "s#^listen = .*#listen = \"$path\"#" "$STATE/runtime/crema.conf"
  start_runtime
  local gates=$KUBELET_GATES result=0
  KUBELET_GATES='' KUBELET_SOCKET=$path
  start_kubelet
  until_ok 60 'the node is Ready' node_is_ready
  # Sizes of volumes are kubelet's own, and take it a minute.
  SUMMARY_FIELDS=$(jq -c '. - ["volume.0.usedBytes"]' <<<"$SUMMARY_FIELDS")
  until_ok 60 'the summary of the pod is complete' summary_complete
  until_ok 60 'the summary tells 5 MiB of written files' wrote_five
  until_ok 60 'kubelet tells all metrics of the container' metrics_complete
  equal 'pods after the change of sockets' "$before" "$(started_at)"
  local complaints; complaints=$(grep -E 'failed to collect filesystem stats' "$STATE/log/kubelet" | grep -F "$STATE" | head -3 || true)
  equal 'complaints of cAdvisor' '' "$complaints"
  sed -i "s#^listen = .*#listen = \"$SOCKET\"#" "$STATE/runtime/crema.conf"
  node_end kubelet
  node_end runtime
  start_runtime
  KUBELET_GATES=$gates KUBELET_SOCKET=
  start_kubelet
  until_ok 60 'the node is Ready' node_is_ready
  until_ok 60 'kubectl exec works' kubectl exec measured -- true
  drop pod measured
}

# What kubeadm asks a runtime: its state, the pulls of an installation, and the end of all pods. The last check.
check_kubeadm() {
  local image socket=unix://$SOCKET images
  images=$(in_node "$BIN/kubeadm" config images list --image-repository $REGISTRY/k8s --kubernetes-version v$KUBERNETES_VERSION 2>/dev/null)
  for image in $images; do push "$image"; done
  in_node "$BIN/kubeadm" config images pull --cri-socket "$socket" --image-repository $REGISTRY/k8s --kubernetes-version v$KUBERNETES_VERSION
  for image in $images; do has_image "$image" || die "kubeadm did not pull $image"; done
  local preflight; preflight=$(in_node "$BIN/kubeadm" init phase preflight --ignore-preflight-errors all --config <(kubeadm_config) 2>&1 || true)
  echo "$preflight"
  [[ ! $preflight =~ (container runtime is not running|CRI\]|ImagePull\]) ]] || die "kubeadm's preflight checks complain about the runtime"
  matches 'preflight checks' 'preflight' "$preflight"
  sleeper one
  sleeper two
  node_end kubelet
  in_node "$BIN/kubeadm" reset --force --cri-socket "$socket" --ignore-preflight-errors all
  equal 'pods after kubeadm reset' '' "$(crictl pods -q)"
  start_kubelet
  until_ok 60 'the node is Ready' node_is_ready
  drop pod one two
}
kubeadm_config() {
  cat <<Y
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
nodeRegistration: {criSocket: "unix://$SOCKET", name: $NODE}
localAPIEndpoint: {advertiseAddress: $NODE_IP}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v$KUBERNETES_VERSION
imageRepository: $REGISTRY/k8s
Y
}
