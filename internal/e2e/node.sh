#!/bin/bash
# A real one-node Kubernetes cluster (etcd, API server, controller manager, scheduler, kubelet, containerd, a registry)
# in network, mount and process namespaces of its own, for as long as a command runs. Needs root.
#
#   BIN=DIR internal/e2e/node.sh COMMAND [ARG...]
#
# BIN holds kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and kubectl (internal/testcluster/build makes them).
# From Debian: containerd containernetworking-plugins docker-registry etcd-server iproute2 openssl runc curl procps.
# COMMAND finds in its environment:
#   KUBECONFIG     of a cluster administrator
#   MIRROR         the address of the site's registry (Debian's docker-registry)
#   CONTAINERD_HOSTS  containerd's certs.d folder, empty: the command fills it with `sallyport mirror config`
#   NODE_LOGS      where each part writes its log
# Pods use the pause image registry.example.com/edge/pause:1, which the command must bring into the mirror.
# Three sysctls that the kubelet sets globally are put back at the end.
set -euo pipefail
: "${BIN:?a folder with the Kubernetes programs}"

if [[ -z ${SALLYPORT_NODE_INSIDE:-} ]]; then
  [[ $(id -u) == 0 ]] || { echo "node.sh: run it as root: it makes namespaces and runs containers" >&2; exit 1; }
  missing=()
  for tool in containerd runc etcd docker-registry ip openssl curl unshare; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  [[ -x /usr/lib/cni/bridge ]] || missing+=(containernetworking-plugins)
  ((${#missing[@]} == 0)) || { echo "node.sh: missing: ${missing[*]}; apt-get install containerd containernetworking-plugins docker-registry etcd-server iproute2 openssl runc curl procps" >&2; exit 1; }
  saved=$(sysctl -n vm.overcommit_memory kernel.panic kernel.panic_on_oops)
  SALLYPORT_NODE_INSIDE=1 unshare -n -m --propagation private -p -f --kill-child --mount-proc "$0" "$@" && rc=0 || rc=$?
  # shellcheck disable=SC2086
  set -- $saved
  sysctl -qw vm.overcommit_memory="$1" kernel.panic="$2" kernel.panic_on_oops="$3"
  find /sys/fs/cgroup -depth -type d \( -path '*/k8s.io/*' -o -name k8s.io \) -exec rmdir {} \; 2>/dev/null || true
  exit "$rc"
fi

export PATH=$BIN:$PATH
work=$(mktemp -d /tmp/sallyport-node.XXXXXX)
cd "$work"
mkdir -p logs certs.d cni registry kubelet
# The kubelet and containerd keep sockets and pod logs at fixed places: private ones, which go with the namespace.
run=/run/sallyport-node
mkdir -p "$run" /var/lib/kubelet /var/lib/cni
for dir in "$run" /var/lib/kubelet /var/log /var/lib/cni; do mount -t tmpfs none "$dir"; done
# finish ends with the command's status; the shell's word on each part that is killed goes nowhere.
finish() {
  local rc=$?
  set +e
  { jobs -p | xargs -r kill -KILL; wait; } 2>/dev/null
  mount | awk -v w="$work" 'index($3,w)==1{print $3}' | sort -r | xargs -r umount -l 2>/dev/null
  rm -rf "$work"
  exit "$rc"
}
trap finish EXIT

ip link set lo up
ip link add node0 type bridge
ip addr add 192.168.77.1/24 dev node0
ip link set node0 up
ip route add default via 192.168.77.1

start() { # NAME COMMAND...
  "${@:2}" >"logs/$1.log" 2>&1 &
}

ready() { # NAME URL
  local i
  for ((i = 0; i < 600; i++)); do
    curl -skf -m 2 -H 'Authorization: Bearer admintoken' "$2" -o /dev/null && return
    sleep 0.05
  done
  echo "node.sh: $1 does not answer at $2; its log ends:" >&2
  tail -n 20 "logs/$1.log" >&2
  return 1
}

openssl genrsa -out sa.key 2048 2>/dev/null
openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
echo 'admintoken,admin,admin,"system:masters"' >tokens.csv
cat >kubeconfig <<EOF
apiVersion: v1
kind: Config
clusters: [{name: edge, cluster: {server: "https://127.0.0.1:6443", insecure-skip-tls-verify: true}}]
users: [{name: admin, user: {token: admintoken}}]
contexts: [{name: edge, context: {cluster: edge, user: admin}}]
current-context: edge
EOF
cat >registry.yaml <<EOF
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: $work/registry}, delete: {enabled: true}}
http: {addr: "127.0.0.1:5000"}
EOF
cat >containerd.toml <<EOF
version = 2
root = "$work/containerd"
state = "$run"
[grpc]
  address = "$run/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "registry.example.com/edge/pause:1"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$work/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "$work/certs.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
EOF
cat >cni/10-edge.conflist <<EOF
{"cniVersion":"0.4.0","name":"edge","plugins":[{"type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":false,
 "ipam":{"type":"host-local","subnet":"10.88.0.0/24","dataDir":"$work/ipam"}},{"type":"loopback"}]}
EOF
cat >kubelet.yaml <<EOF
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
failSwapOn: false
failCgroupV1: false
makeIPTablesUtilChains: false
containerRuntimeEndpoint: "unix://$run/containerd.sock"
podLogsDir: $work/podlogs
localStorageCapacityIsolation: false
evictionHard: {memory.available: "50Mi"}
nodeStatusUpdateFrequency: 1s
EOF

start registry docker-registry serve registry.yaml
start etcd etcd --data-dir "$work/etcd" --unsafe-no-fsync --listen-client-urls http://127.0.0.1:2379 \
  --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380
start containerd containerd --config containerd.toml
ready etcd http://127.0.0.1:2379/health
# Debian's etcd 3.4 has no progress notifications, which the API server's WatchList needs.
start apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 --feature-gates=WatchList=false \
  --service-account-issuer=https://kubernetes.default.svc --service-account-key-file=sa.pub \
  --service-account-signing-key-file=sa.key --cert-dir="$work/certs" --secure-port=6443 --bind-address=127.0.0.1 \
  --advertise-address=192.168.77.1 --token-auth-file=tokens.csv --authorization-mode=RBAC \
  --service-cluster-ip-range=10.0.0.0/24 --allow-privileged=true --endpoint-reconciler-type=none \
  --kubelet-preferred-address-types=InternalIP --kubelet-certificate-authority=
ready apiserver https://127.0.0.1:6443/readyz
client=(--kubeconfig="$work/kubeconfig" --authentication-kubeconfig="$work/kubeconfig"
  --authorization-kubeconfig="$work/kubeconfig" --leader-elect=false --bind-address=127.0.0.1)
start controller-manager kube-controller-manager "${client[@]}" --service-account-private-key-file=sa.key \
  --root-ca-file="$work/certs/apiserver.crt" --cert-dir="$work/certs-cm"
start scheduler kube-scheduler "${client[@]}" --cert-dir="$work/certs-sched"
start kubelet kubelet --kubeconfig="$work/kubeconfig" --config=kubelet.yaml --root-dir="$work/kubelet" \
  --cert-dir="$work/certs-kubelet" --hostname-override=edge-1 --node-ip=192.168.77.1

export KUBECONFIG=$work/kubeconfig MIRROR=http://127.0.0.1:5000 CONTAINERD_HOSTS=$work/certs.d NODE_LOGS=$work/logs
for ((i = 0; ; i++)); do
  kubectl get node edge-1 2>/dev/null | grep -q ' Ready' && break
  ((i < 300)) || { echo "node.sh: the node does not get ready; the kubelet's log ends:" >&2; tail -n 20 logs/kubelet.log >&2; exit 1; }
  sleep 0.1
done
cd "$OLDPWD"
"$@"
