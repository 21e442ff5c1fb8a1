#!/bin/bash
# Two machines on one: two network namespaces with an engine in each, joined to one swarm.
#
#   machines.sh up             makes them and gives both the images that this machine's engine has
#   machines.sh run COMMAND…   runs a command on the first; its clusters spread over both
#   machines.sh down           ends both and removes what they kept
#
# Needs root, `ip` and a kernel with vxlan. TMPDIR is where they keep their images: about 5 GB.
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
WORK=${TMPDIR:-/var/tmp}/narration-machines
FIRST=10.77.0.1
SECOND=10.77.0.2
POOL=10.90.0.0/16
IMAGES="narration/orchestrator:latest narration/pool-manager:latest narration/worker:latest"

say() { echo "machines: $*" >&2; }
socket() { echo "unix://$WORK/$1/docker.sock"; }
inside() { local which=$1; shift; nsenter --net="/var/run/netns/narration-$which" "$@"; }

# $1: a or b, $2: 1 or 2, $3: start or stop. Not `ip netns exec`: its fresh /sys hides the cgroups.
engine() {
  env DOCKER_HOST="$(socket "$1")" NARRATION_ENGINE_STATE="$WORK/$1" \
    NARRATION_ENGINE_DATA="$WORK/$1/data" \
    NARRATION_ENGINE_ARGS="--exec-root=$WORK/$1/exec --cgroup-parent=/narration-$1 \
      --bip=10.88.$2.1/24 --default-address-pool=base=10.8$2.0.0/16,size=24" \
    nsenter --net="/var/run/netns/narration-$1" "$HERE/engine.sh" "$3" >/dev/null
}

up() {
  docker image inspect $IMAGES >/dev/null || { say "this machine's engine has no images: make images"; exit 3; }
  mkdir -p "$WORK"
  ip netns add narration-a
  ip netns add narration-b
  ip link add narration-va netns narration-a type veth peer name narration-vb netns narration-b
  local which number=0
  for which in a b; do
    number=$((number + 1))
    ip -n "narration-$which" addr add "10.77.0.$number/24" dev "narration-v$which"
    ip -n "narration-$which" link set "narration-v$which" up
    ip -n "narration-$which" link set lo up
    inside $which sysctl -qw net.ipv4.ip_forward=1
    engine $which $number start
  done
  say "giving both the images"
  docker save $IMAGES >"$WORK/images.tar"
  for which in a b; do DOCKER_HOST=$(socket $which) docker load --quiet --input "$WORK/images.tar" >/dev/null; done
  rm "$WORK/images.tar"
  DOCKER_HOST=$(socket a) docker swarm init --advertise-addr $FIRST --default-addr-pool $POOL >/dev/null
  DOCKER_HOST=$(socket b) docker swarm join --token \
    "$(DOCKER_HOST=$(socket a) docker swarm join-token -q worker)" $FIRST:2377 >/dev/null
  DOCKER_HOST=$(socket a) docker node ls
}

run() {
  export DOCKER_HOST NARRATION_MACHINES
  DOCKER_HOST=$(socket a)
  NARRATION_MACHINES="127.0.0.1=$(socket a) $SECOND=$(socket b)"
  exec nsenter --net=/var/run/netns/narration-a "$@"
}

down() {
  local which number=0
  for which in a b; do
    number=$((number + 1))
    [ -e "/var/run/netns/narration-$which" ] && engine $which $number stop || true
  done
  for which in a b; do
    { grep -o "$WORK/$which/[^ ]*" /proc/mounts || true; } | sort -r | xargs -r umount -l
    ip netns del narration-$which 2>/dev/null || true
  done
  rm -rf "$WORK"
}

case ${1:-} in
  up) up ;;
  run) shift && run "$@" ;;
  down) down ;;
  *) say "usage: $0 up | run COMMAND… | down"; exit 2 ;;
esac
