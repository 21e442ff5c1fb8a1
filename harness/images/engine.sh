#!/bin/bash
# Makes a Docker engine answer on a bare Linux machine, and ends the one that it started.
#
#   engine.sh start    prints the DOCKER_HOST of an engine that answers; 3: none can be had here
#   engine.sh stop     ends the engine that `start` started, never another one
#   engine.sh status   0: an engine answers
#
# NARRATION_ENGINE_STATE  directory of its pid file, log and lock  (/var/tmp/narration-engine)
# NARRATION_ENGINE_DATA   its data root                            (the engine's own default)
# NARRATION_ENGINE_ARGS   further arguments of dockerd
set -uo pipefail

STATE=${NARRATION_ENGINE_STATE:-/var/tmp/narration-engine}
DATA=${NARRATION_ENGINE_DATA:-/var/lib/docker}
LOG=$STATE/dockerd.log
PIDFILE=$STATE/dockerd.pid
export DOCKER_HOST=${DOCKER_HOST:-unix:///var/run/docker.sock}
SOCKET=${DOCKER_HOST#unix://}
NONE_POSSIBLE=3

say() { echo "engine: $*" >&2; }

# Asked for its answer, not for its binary: an installed engine may be down.
answers() {
  case $DOCKER_HOST in
    unix://*) [ -S "$SOCKET" ] && curl -fsS -m 3 --unix-socket "$SOCKET" http://engine/_ping ;;
    *) docker version ;;
  esac >/dev/null 2>&1
}

# The process that `start` started, unless its number belongs to something else by now.
our_engine() {
  local pid
  pid=$(cat "$PIDFILE" 2>/dev/null) || return 1
  [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] || return 1
  tr '\0' '\n' <"/proc/$pid/cmdline" | grep -qxF -- "--pidfile=$PIDFILE" || return 1
  echo "$pid"
}

install_packages() {
  command -v dockerd >/dev/null && command -v iptables >/dev/null && return 0
  command -v apt-get >/dev/null || { say "no dockerd, and no apt-get to install it"; return 1; }
  say "installing docker.io: once, about 10 s ..."
  local status=0
  "$(dirname "$0")/install.sh" docker.io iptables iproute2 cgroupfs-mount \
    >"$STATE/apt.log" 2>&1 || status=1
  [ $status = 0 ] || { say "apt-get failed:"; tail -5 "$STATE/apt.log" >&2; }
  return $status
}

# overlay on overlay fails: inside a container the slow driver is the one that works.
storage_driver() {
  mkdir -p "$DATA"
  if { grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null; } &&
    [ "$(stat -f -c %T "$DATA")" != overlayfs ]; then
    echo overlay2
  else
    echo vfs
  fi
}

start() {
  answers && { echo "$DOCKER_HOST"; return 0; }
  case $DOCKER_HOST in
    unix://*) ;;
    *) say "nothing answers at DOCKER_HOST=$DOCKER_HOST"; return $NONE_POSSIBLE ;;
  esac
  if [ "$(uname -s)" != Linux ] || [ "$(id -u)" != 0 ]; then
    say "none answers at $DOCKER_HOST, and only root on Linux can start one"
    return $NONE_POSSIBLE
  fi
  mkdir -p "$STATE"
  exec 9>"$STATE/lock"
  flock -w 180 9 || { say "another start holds $STATE/lock"; return $NONE_POSSIBLE; }
  answers && { echo "$DOCKER_HOST"; return 0; }
  install_packages || return $NONE_POSSIBLE
  mountpoint -q /sys/fs/cgroup || cgroupfs-mount 2>/dev/null || true
  local tables=()
  if ! iptables -w 5 -t nat -S >/dev/null 2>&1; then
    if iptables-legacy -w 5 -t nat -S >/dev/null 2>&1; then
      mkdir -p "$STATE/bin" && ln -sf "$(command -v iptables-legacy)" "$STATE/bin/iptables"
      PATH=$STATE/bin:$PATH
    else
      say "this kernel has no iptables: containers reach nothing outside"
      tables=(--iptables=false)
    fi
  fi
  # shellcheck disable=SC2086  a list of arguments
  setsid dockerd --host="$DOCKER_HOST" --pidfile="$PIDFILE" --data-root="$DATA" \
    --storage-driver="$(storage_driver)" "${tables[@]}" --shutdown-timeout=5 --log-level=warn \
    ${NARRATION_ENGINE_ARGS:-} </dev/null >>"$LOG" 2>&1 9>&- &
  local engine=$!
  for _ in $(seq 300); do
    answers && { say "started, pid $(cat "$PIDFILE")"; echo "$DOCKER_HOST"; return 0; }
    kill -0 $engine 2>/dev/null || break
    sleep 0.1
  done
  say "dockerd did not come up; the last lines of $LOG:"
  tail -5 "$LOG" >&2
  return $NONE_POSSIBLE
}

stop() {
  local pid
  pid=$(our_engine) || { say "none of ours runs"; return 0; }
  kill -TERM "$pid"
  for _ in $(seq 150); do
    kill -0 "$pid" 2>/dev/null || { say "stopped, pid $pid"; return 0; }
    sleep 0.1
  done
  say "pid $pid did not end in 15 s: killed"
  kill -KILL "$pid"
}

case ${1:-} in
  start) start ;;
  stop) stop ;;
  status) answers ;;
  *) say "usage: $0 start|stop|status"; exit 2 ;;
esac
