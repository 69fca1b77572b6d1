# What users do with pods, by kubectl: sourced by with-kubelet. A function check_NAME succeeds or dies with
# what it found instead; what it prints as `NOTE …` is shown beside its name.

apply() { kubectl apply -f - >/dev/null; }
# drop OBJECT...: without waiting for more than kubelet needs.
drop() { kubectl delete --grace-period=1 --ignore-not-found --timeout=60s "$@" >/dev/null; }
equal() { [ "$2" = "$3" ] || die "$1: expected '$2', found '${3:0:2000}'"; }
matches() { [[ $3 =~ $2 ]] || die "$1: expected a match of '$2', found '${3:0:3000}'"; }
# field POD JSONPATH
field() { kubectl get pod "$1" -o "jsonpath={$2}"; }
ready() { kubectl wait --for=condition=Ready --timeout=60s "$@" >/dev/null || { kubectl describe "$@" | sed -n '/^Events/,$p'; die "not Ready within 60 s: $*"; }; }
field_is() { [[ $(field "$1" "$2") =~ ^($3)$ ]] || { field "$1" "$2"; return 1; }; }
becomes() { until_ok "${4:-90}" "$1 has $2 = $3" field_is "$1" "$2" "$3"; }
seconds_since() { echo $((SECONDS - $1)); }
describe_tells() { # POD REGEX
  until_ok 90 "kubectl describe pod $1 tells $2" described "$@"
}
described() { local text; text=$(kubectl describe pod "$1"); [[ $text =~ $2 ]] || { sed -n '/^Events/,$p' <<<"$text" | tail -12; return 1; }; }
sleeper() { # NAME [MORE SPEC, indented by two]
  apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: $1, labels: {app: $1}}
spec:
  terminationGracePeriodSeconds: 1
${2:-}
  containers:
  - {name: main, image: $BUSYBOX, command: [sleep, "1000000"]}
Y
  ready pod "$1"
}

check_node() {
  local node; node=$(kubectl get node $NODE -o json)
  matches 'runtime as the node tells it' "^$ENDPOINT://" "$(jq -r .status.nodeInfo.containerRuntimeVersion <<<"$node")"
  equal 'kubelet' "v$KUBERNETES_VERSION" "$(jq -r .status.nodeInfo.kubeletVersion <<<"$node")"
  matches 'conditions' 'DiskPressure=False' "$(jq -r '.status.conditions[]|.type+"="+.status' <<<"$node" | tr '\n' ' ')"
  [ "$ENDPOINT" != crema ] || equal 'supplementalGroupsPolicy' true "$(jq -r .status.features.supplementalGroupsPolicy <<<"$node")"
  echo "NOTE $(jq -r .status.nodeInfo.containerRuntimeVersion <<<"$node"), handlers $(jq -c '[.status.runtimeHandlers[]?|{(if .name=="" then "default" else .name end):[.features|to_entries[]?|select(.value)|.key]}]' <<<"$node")"
}

# One pod with all that a usual one has.
check_pod() {
  kubectl create configmap settings --from-literal=colour=blue --from-literal=file.conf=content >/dev/null
  kubectl create secret generic hidden --from-literal=password=hunter2 >/dev/null
  mkdir -p "$STATE/host"; echo from-the-host >"$STATE/host/file"
  apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: whole, labels: {tier: front}, annotations: {note: "two words"}}
spec:
  terminationGracePeriodSeconds: 2
  hostname: named
  subdomain: below
  hostAliases: [{ip: 10.1.2.3, hostnames: [alias.example]}]
  securityContext: {fsGroup: 2000, supplementalGroups: [3000], sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: "80"}], seccompProfile: {type: RuntimeDefault}}
  initContainers:
  - name: init
    image: $BUSYBOX
    command: [sh, -c, 'echo prepared >/shared/init; id -u']
    volumeMounts: [{name: shared, mountPath: /shared}]
  - name: sidecar
    image: $BUSYBOX
    restartPolicy: Always
    command: [sh, -c, 'while true; do date >/shared/beat; sleep 1; done']
    startupProbe: {exec: {command: [test, -s, /shared/beat]}, periodSeconds: 1}
    volumeMounts: [{name: shared, mountPath: /shared}]
  containers:
  - name: main
    image: $BUSYBOX
    command: [sh, -c, 'mkdir -p /tmp/www; echo hello >/tmp/www/index.html; exec httpd -f -p 80 -h /tmp/www']
    ports: [{containerPort: 80, hostPort: 18080}]
    env:
    - {name: COLOUR, valueFrom: {configMapKeyRef: {name: settings, key: colour}}}
    - {name: PASSWORD, valueFrom: {secretKeyRef: {name: hidden, key: password}}}
    - {name: POD_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    - {name: CPU_LIMIT, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: 1m}}}
    - {name: COMPOSED, value: "\$(COLOUR)-\$(POD_IP)"}
    resources: {requests: {cpu: 50m, memory: 32Mi}, limits: {cpu: 500m, memory: 64Mi}}
    securityContext: {runAsUser: 1000, runAsGroup: 1001, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL], add: [NET_RAW]}}
    startupProbe: {httpGet: {path: /index.html, port: 80}, periodSeconds: 1}
    readinessProbe: {httpGet: {path: /index.html, port: 80}, periodSeconds: 1}
    livenessProbe: {exec: {command: [sh, -c, 'test -s /tmp/www/index.html']}, periodSeconds: 2}
    lifecycle: {postStart: {exec: {command: [sh, -c, 'echo started >/shared/post']}}}
    volumeMounts:
    - {name: shared, mountPath: /shared}
    - {name: memory, mountPath: /memory}
    - {name: memory, mountPath: /tmp}
    - {name: settings, mountPath: /settings}
    - {name: settings, mountPath: /single/file.conf, subPath: file.conf}
    - {name: all, mountPath: /all}
    - {name: host, mountPath: /host, readOnly: true}
  volumes:
  - {name: shared, emptyDir: {}}
  - {name: memory, emptyDir: {medium: Memory, sizeLimit: 16Mi}}
  - {name: settings, configMap: {name: settings}}
  - {name: host, hostPath: {path: $STATE/host, type: Directory}}
  - name: all
    projected:
      sources:
      - secret: {name: hidden, items: [{key: password, path: secret/password, mode: 256}]}
      - configMap: {name: settings, items: [{key: colour, path: colour}]}
      - downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}
      - serviceAccountToken: {path: token, expirationSeconds: 600}
Y
  local begin=$SECONDS
  ready pod whole
  echo "NOTE Ready after $(seconds_since "$begin") s"
  equal 'init container' 'Completed 0' "$(field whole '.status.initContainerStatuses[0].state.terminated.reason} {.status.initContainerStatuses[0].state.terminated.exitCode')"
  equal 'sidecar is ready' true "$(field whole '.status.initContainerStatuses[1].ready')"
  local ip inside; ip=$(field whole .status.podIP)
  inside=$(kubectl exec whole -c main -- sh -c 'echo "ids $(id -u) $(id -g) $(id -G)"; env; hostname; hostname -f; cat /etc/hosts /etc/resolv.conf; cat /shared/init /shared/post; cat /settings/colour; echo; cat /single/file.conf; echo
    cat /all/secret/password; echo; cat /all/colour; echo; cat /all/labels; echo; wc -c </all/token; cat /host/file; df -m /memory | tail -1; touch /x 2>&1; touch /host/x 2>&1
    grep -E "CapEff|CapBnd|NoNewPrivs|Seccomp:" /proc/1/status; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; stat -c %g /shared; stat -L -c "mode %a" /all/secret/password')
  matches 'user' 'ids 1000 1001 1001 2000 3000' "$inside"
  matches 'environment' "COMPOSED=blue-$ip" "$inside"
  matches 'resource in the environment' 'CPU_LIMIT=500' "$inside"
  matches 'secret in the environment' 'PASSWORD=hunter2' "$inside"
  matches 'host name' $'\nnamed\n' "$inside"
  matches 'qualified host name' 'named.below.default.svc.cluster.local' "$inside"
  matches 'host alias' $'10.1.2.3\talias.example' "$inside"
  matches 'DNS' 'search default.svc.cluster.local svc.cluster.local cluster.local' "$inside"
  matches 'DNS server' 'nameserver 10.96.0.10' "$inside"
  matches 'shared directory' $'prepared\nstarted\nblue\ncontent\nhunter2\nblue\n' "$inside"
  matches 'labels' 'tier="front"' "$inside"
  matches 'host path' 'from-the-host' "$inside"
  matches 'size of a memory volume' ' 16 ' "$inside"
  matches 'read-only root' 'x: Read-only file system' "$inside"
  matches 'read-only volume' '/host/x: Read-only file system' "$inside"
  matches 'bounding set' $'CapBnd:\t0000000000002000' "$inside"
  matches 'no new privileges' $'NoNewPrivs:\t1' "$inside"
  matches 'seccomp' $'Seccomp:\t2' "$inside"
  matches 'group of a volume' $'\n80\n2000\n' "$inside"
  equal 'by its address' hello "$(in_node curl -sS -m 5 "http://$ip/")"
  equal 'by the host port' hello "$(in_node curl -sS -m 5 "http://$NODE_IP:18080/")"
  equal 'restarts' 0 "$(field whole '.status.containerStatuses[0].restartCount')"
  equal 'image id' "$(field whole '.status.containerStatuses[0].imageID')" "$(field whole '.status.initContainerStatuses[0].imageID')"
  # A changed ConfigMap arrives in the running container by kubelet's renames.
  kubectl patch configmap settings -p '{"data":{"colour":"green"}}' >/dev/null
  kubectl annotate pod whole touched=1 >/dev/null # makes kubelet look at once
  until_ok 150 'the changed ConfigMap is seen' sh_in whole 'test "$(cat /settings/colour)" = green'
  drop pod whole
  drop configmap/settings secret/hidden
}
sh_in() { kubectl exec "$1" -- sh -c "$2"; }

check_deployment() {
  apply <<Y
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - {name: web, image: $BUSYBOX, command: [httpd, -f, -p, "8080"], readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}}
Y
  kubectl rollout status deployment web --timeout=120s >/dev/null
  local before; before=$(kubectl get pods -l app=web -o name | sort)
  kubectl rollout restart deployment web >/dev/null
  kubectl rollout status deployment web --timeout=120s >/dev/null
  [ -z "$(comm -12 <(echo "$before") <(kubectl get pods -l app=web --field-selector=status.phase=Running -o json | jq -r '.items[]|select(.metadata.deletionTimestamp==null)|"pod/"+.metadata.name' | sort))" ] || die 'a pod survived the rollout'
  kubectl scale deployment web --replicas 1 >/dev/null
  kubectl rollout status deployment web --timeout=60s >/dev/null
  drop deployment web
}

check_job() {
  apply <<Y
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  backoffLimit: 1
  template:
    spec:
      restartPolicy: Never
      containers: [{name: main, image: $BUSYBOX, command: [sh, -c, 'echo worked; echo "last words" >/dev/termination-log']}]
Y
  kubectl wait --for=condition=Complete --timeout=90s job/once >/dev/null
  equal 'log' worked "$(kubectl logs job/once)"
  local pod; pod=$(kubectl get pods -l job-name=once -o 'jsonpath={.items[0].metadata.name}')
  equal 'end' 'Completed 0 last words' "$(field "$pod" '.status.containerStatuses[0].state.terminated.reason} {.status.containerStatuses[0].state.terminated.exitCode} {.status.containerStatuses[0].state.terminated.message' | tr -d '\n')"
  drop job once
}

check_crash_loop() {
  apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: crash}
spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: $BUSYBOX, command: [sh, -c, 'echo about to fail >&2; exit 3'], terminationMessagePolicy: FallbackToLogsOnError}]}
Y
  becomes crash '.status.containerStatuses[0].state.waiting.reason' CrashLoopBackOff
  equal 'last state' 'Error 3 about to fail' "$(field crash '.status.containerStatuses[0].lastState.terminated.reason} {.status.containerStatuses[0].lastState.terminated.exitCode} {.status.containerStatuses[0].lastState.terminated.message' | tr -d '\n')"
  becomes crash '.status.containerStatuses[0].restartCount' '[2-9]'
  until_ok 30 'kubectl logs --previous tells what the one before said' said_before
  drop pod crash
}

said_before() { [ "$(kubectl logs --previous crash)" = 'about to fail' ]; } # not while kubelet starts the next

check_out_of_memory() {
  apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: oom}
spec: {restartPolicy: Never, containers: [{name: main, image: $BUSYBOX, command: [sh, -c, 'tail /dev/zero'], resources: {limits: {memory: 20Mi}}}]}
Y
  becomes oom .status.phase Failed
  equal 'end' 'OOMKilled 137' "$(field oom '.status.containerStatuses[0].state.terminated.reason} {.status.containerStatuses[0].state.terminated.exitCode')"
  drop pod oom
}

check_cannot_start() {
  apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: nothing}
spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: $BUSYBOX, command: [/no/such/program]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: root-forbidden}
spec: {terminationGracePeriodSeconds: 1, securityContext: {runAsNonRoot: true}, containers: [{name: main, image: $BUSYBOX, command: [sleep, "100"]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: no-profile}
spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: $BUSYBOX, command: [sleep, "100"], securityContext: {seccompProfile: {type: Localhost, localhostProfile: no/such.json}}}]}
Y
  describe_tells nothing '/no/such/program'
  becomes nothing '.status.containerStatuses[0].state.waiting.reason' 'RunContainerError|CrashLoopBackOff|CreateContainerError'
  echo "NOTE $(kubectl get events --field-selector involvedObject.name=nothing -o json | jq -r '[.items[]|select(.reason=="Failed")|.message][0]' | tr '\n' ' ')"
  describe_tells root-forbidden 'runAsNonRoot'
  describe_tells no-profile 'no/such.json'
  drop pod nothing root-forbidden no-profile
}

check_liveness() {
  apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: alive}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: $BUSYBOX
    command: [sh, -c, 'touch /alive; trap "exit 0" TERM; while true; do sleep 0.2; done']
    livenessProbe: {exec: {command: [cat, /alive]}, periodSeconds: 1, failureThreshold: 1}
  - name: slow
    image: $BUSYBOX
    command: [sleep, "1000000"]
    readinessProbe: {exec: {command: [sleep, "30"]}, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 1}
Y
  becomes alive '.status.containerStatuses[0].ready' true
  kubectl exec alive -c main -- rm /alive
  becomes alive '.status.containerStatuses[0].restartCount' '[1-9]'
  equal 'the slow probe' false "$(field alive '.status.containerStatuses[1].ready')"
  describe_tells alive 'Liveness probe failed: cat: .*/alive.*No such file'
  describe_tells alive 'Readiness probe (failed|errored).*(timed out|timeout|context deadline)'
  describe_tells alive 'failed liveness probe, will be restarted'
  drop pod alive
}

check_logs() {
  apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: talk}
spec: {terminationGracePeriodSeconds: 1, restartPolicy: Never, containers: [{name: main, image: $BUSYBOX, command: [sh, -c, 'for i in \$(seq 20); do echo out-\$i; echo err-\$i >&2; sleep 0.2; done; printf unfinished']}]}
Y
  becomes talk .status.phase 'Running|Succeeded'
  local all; all=$(timeout_kubectl 60 logs -f talk)
  equal 'lines of logs -f' 41 "$(grep -c . <<<"$all")"
  matches 'partial last line' $'\nunfinished$' "$all"
  equal 'kubectl logs --tail' unfinished "$(kubectl logs --tail=1 talk)"
  matches 'kubectl logs --timestamps' '^20[0-9-]+T[0-9:.]+Z out-1$' "$(kubectl logs --timestamps talk | head -1)"
  drop pod talk
}

# kubelet renames the file and calls ReopenContainerLog; no line may be lost meanwhile.
check_log_rotation() {
  apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: much}
spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: $BUSYBOX, command: [sh, -c, 'i=0; while [ \$i -lt 6000 ]; do echo line-\$i-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; i=\$((i+1)); [ \$((i % 50)) != 0 ] || sleep 0.1; done; sleep 1000000']}]}
Y
  ready pod much
  local follow=$STATE/checks/follow
  timeout_kubectl 60 logs -f much >"$follow" 2>/dev/null &
  until_ok 60 'the log is rotated' rotated
  until_ok 60 'all lines arrive at kubectl logs -f' grep -q '^line-5999-' "$follow"
  in_node pkill -f 'logs -f much' || true
  equal 'lines through the rotations' 6000 "$(sort -u "$follow" | grep -c '^line-')"
  drop pod much
}
rotated() { in_node sh -c 'ls /var/log/pods/default_much_*/main/ | grep -q "0.log.20"'; }

spdy() { KUBECTL_ENVIRONMENT="KUBECTL_REMOTE_COMMAND_WEBSOCKETS=false KUBECTL_PORT_FORWARD_WEBSOCKETS=false" "$@"; }
websocket() { KUBECTL_ENVIRONMENT="KUBECTL_REMOTE_COMMAND_WEBSOCKETS=true KUBECTL_PORT_FORWARD_WEBSOCKETS=true" "$@"; }

check_exec() {
  sleeper execs
  local transport sum code typed
  head -c 8000000 /dev/urandom >"$STATE/checks/bytes"
  sum=$(md5sum <"$STATE/checks/bytes" | cut -d' ' -f1)
  for transport in spdy websocket; do
    equal "$transport: standard output" out "$($transport kubectl exec execs -- sh -c 'echo out; echo err >&2' 2>/dev/null)"
    equal "$transport: standard error" err "$($transport kubectl exec execs -- sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)"
    code=0; $transport kubectl exec execs -- sh -c 'exit 7' 2>/dev/null || code=$?
    equal "$transport: exit code" 7 "$code"
    code=0; $transport kubectl exec execs -- no-such-program >"$STATE/checks/missing" 2>&1 || code=$?
    [ $code != 0 ] || die "$transport: a missing program succeeded"
    matches "$transport: missing program" 'no-such-program' "$(cat "$STATE/checks/missing")"
    equal "$transport: input" "$sum" "$($transport kubectl exec -i execs -- md5sum <"$STATE/checks/bytes" | cut -d' ' -f1)"
    equal "$transport: there and back" "$sum" "$($transport kubectl exec -i execs -- cat <"$STATE/checks/bytes" | md5sum | cut -d' ' -f1)"
    typed=$( (sleep 2; printf 'stty size 2>/dev/null; tty; echo $((6*7))\n'; sleep 1; printf 'exit 5\n'; sleep 1) |
      $transport terminal exec -it execs -- sh; echo "code=$?")
    matches "$transport: terminal" '42' "$typed"
  done
  # A client that goes takes its process with it.
  for transport in spdy websocket; do
    $transport timeout_kubectl 3 exec execs -- sleep 4242 >/dev/null 2>&1 || true
    until_ok 20 "$transport: the process of the client that went is gone" is_gone execs 'sleep 4242'
  done
  drop pod execs
}
is_gone() { ! kubectl exec "$1" -- ps | grep "$2"; }
# terminal ARGS...: kubectl with a terminal on both sides.
terminal() {
  in_node env KUBECONFIG="$STATE/admin.kubeconfig" HOME="$STATE/home" TERM=xterm ${KUBECTL_ENVIRONMENT:-} script -qec "$BIN/kubectl $*" /dev/null
}

check_attach() {
  local transport answer
  for transport in spdy websocket; do
    apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: attached}
spec: {terminationGracePeriodSeconds: 1, restartPolicy: Never, containers: [{name: main, stdin: true, stdinOnce: true, image: $BUSYBOX, command: [sh, -c, 'while read line; do echo "got \$line"; done; echo end of input']}]}
Y
    ready pod attached
    answer=$( (sleep 2; echo one; echo two; sleep 2) | $transport timeout_kubectl 30 attach -i attached 2>/dev/null || true)
    matches "$transport: answers" $'got one\ngot two\nend of input' "$answer"
    equal "$transport: the log has it, too" 'got one' "$(kubectl logs attached | head -1)"
    drop pod attached
    answer=$(echo 'echo $((40+2)); exit' | $transport timeout_kubectl 60 run asked -i --rm --restart=Never --image=$BUSYBOX --command -- sh 2>&1)
    matches "$transport: kubectl run -i --rm" 42 "$answer"
  done
}
timeout_kubectl() { in_node env KUBECONFIG="$STATE/admin.kubeconfig" HOME="$STATE/home" ${KUBECTL_ENVIRONMENT:-} timeout "$1" "$BIN/kubectl" "${@:2}"; }

check_cp() {
  sleeper copies
  mkdir -p "$STATE/checks/tree/below"
  head -c 3000000 /dev/urandom >"$STATE/checks/tree/below/file"
  local transport
  for transport in spdy websocket; do
    $transport kubectl cp "$STATE/checks/tree" copies:/tmp/tree-$transport
    $transport kubectl cp copies:/tmp/tree-$transport "$STATE/checks/back-$transport" >/dev/null
    diff -r "$STATE/checks/tree" "$STATE/checks/back-$transport" || die "$transport: the tree came back changed"
  done
  drop pod copies
}

check_port_forward() {
  apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: served}
spec: {terminationGracePeriodSeconds: 1, containers: [{name: main, image: $BUSYBOX, command: [sh, -c, 'head -c 4000000 /dev/zero >/tmp/big; echo hello >/tmp/index.html; exec httpd -f -p 127.0.0.1:8080 -h /tmp']}]}
Y
  ready pod served
  local transport i
  for transport in spdy websocket; do
    $transport timeout_kubectl 60 port-forward pod/served 18081:8080 18082:9 >"$STATE/checks/forward" 2>&1 &
    until_ok 20 "$transport: the port is forwarded" in_node curl -sS -m 5 -o /dev/null http://127.0.0.1:18081/index.html
    for i in $(seq 10); do equal "$transport: request $i" hello "$(in_node curl -sS -m 5 http://127.0.0.1:18081/index.html)"; done
    equal "$transport: a large answer" 4000000 "$(in_node curl -sS -m 20 http://127.0.0.1:18081/big | wc -c)"
    in_node curl -sS -m 5 http://127.0.0.1:18082/ >/dev/null 2>&1 && die "$transport: a closed port answered"
    until_ok 10 "$transport: the closed port is told" grep -qi 'refused' "$STATE/checks/forward"
    in_node pkill -f "port-forward pod/served 18081" || true
    wait $! || true
  done
  drop pod served
}

check_graceful_end() {
  mkdir -p "$STATE/host"; rm -f "$STATE/host/ending"
  apply <<Y
apiVersion: v1
kind: Pod
metadata: {name: polite}
spec:
  terminationGracePeriodSeconds: 20
  containers:
  - name: main
    image: $BUSYBOX
    command: [sh, -c, 'trap "echo term >>/host/ending; sleep 1; echo done >>/host/ending; exit 0" TERM; while true; do sleep 0.1; done']
    lifecycle: {preStop: {exec: {command: [sh, -c, 'echo prestop >>/host/ending; sleep 1']}}}
    volumeMounts: [{name: host, mountPath: /host}]
  - {name: stubborn, image: $BUSYBOX, command: [sh, -c, 'trap "" TERM; while true; do sleep 0.1; done']}
  volumes: [{name: host, hostPath: {path: $STATE/host}}]
Y
  ready pod polite
  local begin=$SECONDS took
  kubectl delete pod polite --grace-period=6 >/dev/null
  took=$(seconds_since $begin)
  equal 'what was told' 'prestop term done ' "$(tr '\n' ' ' <"$STATE/host/ending")"
  [ "$took" -ge 5 ] && [ "$took" -le 15 ] || die "the pod ended after $took s; its stubborn container has 6 s"
}
