#!/bin/bash
# Builds the images of the three services; what did not change is not built again.
#
#   build.sh [PYTHON]        PYTHON: an interpreter with pip, for the wheelhouse and the base image
#   build.sh identity        prints what the images' label narration.identity is when they are up to date
#
# BASE_IMAGE   built upon; without it python:3.12-slim where a registry has it, and otherwise an
#              image of this machine's own CPython (base.sh)
# WHEELHOUSE   a directory of wheels: nothing is then fetched from anywhere, no base image either
# TAG          of the images (latest): narration/orchestrator, narration/pool-manager, narration/worker
# SERVICES     which of them are built (all three)
# CONTEXT      a directory for what the build sees (build/images)
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
CONTEXT=${CONTEXT:-$ROOT/build/images}
SERVICES=${SERVICES:-orchestrator pool-manager worker}
PYTHON=${1:-python3}
TAG=${TAG:-latest}
OFFICIAL=python:3.12-slim
HOST_BASE=narration/base:host

say() { echo "images: $*" >&2; }

# A client that can drive BuildKit: buildx, or one from before it was split off.
client() {
  local candidate major
  hash -r # or only the one that ran before is listed
  for candidate in $(type -aP docker); do
    "$candidate" buildx version >/dev/null 2>&1 && { echo "$candidate"; return; }
    major=$("$candidate" version --format '{{.Client.Version}}' 2>/dev/null | cut -d. -f1)
    [ "${major:-99}" -lt 23 ] && { echo "$candidate"; return; }
  done
  say "no docker client here can drive BuildKit: install docker-buildx-plugin, or docker.io 20.10"
  return 1
}

base_image() {
  if [ -n "${BASE_IMAGE:-}" ]; then
    echo "$BASE_IMAGE"
  elif docker image inspect "$OFFICIAL" >/dev/null 2>&1 ||
    { [ -z "${WHEELHOUSE:-}" ] && timeout 60 docker pull --quiet "$OFFICIAL" >/dev/null 2>&1; }; then
    echo "$OFFICIAL"
  else
    "$HERE/base.sh" "$HOST_BASE" "$PYTHON" && echo "$HOST_BASE"
  fi
}

# The code that services run, as a list of files.
code() {
  cd "$ROOT" && find pytest_narration/{__init__,errors,event}.py \
    pytest_narration/{contracts,emit,schema} harness/__init__.py harness/services \
    -type f ! -path '*/__pycache__/*' -print0 | LC_ALL=C sort -z
}

# The contracts that NARRATION_VALIDATE judges by: the part of pyproject.toml that services read.
contracts() {
  awk '/^\[/ { wanted = /^\[tool\.narration\.contracts/ } wanted' "$ROOT/pyproject.toml"
}

identity() {
  cd "$ROOT" && { contracts | cksum; { code; printf '%s\0' harness/Dockerfile \
    harness/images/requirements/*.txt constraints.txt; } | xargs -0 cksum; } | cksum | tr ' ' -
}

# The context holds only what the images need, so that nothing else makes them build again.
make_context() {
  mkdir -p "$CONTEXT"/{requirements,wheelhouse/common,wheelhouse/worker}
  cp -p "$HERE"/requirements/*.txt "$CONTEXT/requirements/"
  cp -p "$ROOT/constraints.txt" "$CONTEXT/requirements/"
  rm -rf "$CONTEXT/code"
  mkdir -p "$CONTEXT/code"
  code | tar -C "$ROOT" --null -T - -cf - | tar -C "$CONTEXT/code" -xf -
  contracts >"$CONTEXT/code/pyproject.toml"
}

# The machine's own pip knows its indexes and certificates; the build then needs no network.
fill_wheelhouse() {
  local part constraints wanted
  if [ -n "${WHEELHOUSE:-}" ]; then
    set -- --no-index --find-links="$WHEELHOUSE"
  else
    set --
  fi
  for part in common worker; do
    # Torch is asked for by the worker only.
    case "$part, $SERVICES" in "worker, "*worker* | common*) ;; *) continue ;; esac
    constraints=(); [ $part = worker ] && constraints=(-c "$ROOT/constraints.txt")
    wanted=$({ cat "$HERE/requirements/$part.txt" "$ROOT/constraints.txt"; "$PYTHON" -VV
      echo "$@"; [ -z "${WHEELHOUSE:-}" ] || ls "$WHEELHOUSE"; } | cksum)
    [ "$(cat "$CONTEXT/wheelhouse/$part.for" 2>/dev/null)" = "$wanted" ] && continue
    rm -rf "${CONTEXT:?}/wheelhouse/$part"{,.for} && mkdir -p "$CONTEXT/wheelhouse/$part"
    say "collecting wheels: $part"
    "$PYTHON" -m pip --disable-pip-version-check download --quiet --only-binary=:all: "$@" \
      -d "$CONTEXT/wheelhouse/$part" -r "$HERE/requirements/$part.txt" "${constraints[@]}"
    echo "$wanted" >"$CONTEXT/wheelhouse/$part.for"
  done
}

# For a base of another Python than this machine's, all wheels: pip takes there what fits.
link_wheelhouse() {
  local part
  for part in common worker; do
    rm -rf "${CONTEXT:?}/wheelhouse/$part"{,.for} && mkdir -p "$CONTEXT/wheelhouse/$part"
    cp -l "$WHEELHOUSE"/*.whl "$CONTEXT/wheelhouse/$part/" 2>/dev/null ||
      cp "$WHEELHOUSE"/*.whl "$CONTEXT/wheelhouse/$part/"
  done
}

# A library of 60 kB, so that a service's clock can be wrong; without it that fault is refused.
fill_faketime() {
  rm -rf "$CONTEXT/faketime" && mkdir -p "$CONTEXT/faketime"
  cp /usr/lib/*/faketime/libfaketimeMT.so.1 "$CONTEXT/faketime/" 2>/dev/null && echo yes || echo no
}

[ "$PYTHON" != identity ] || { identity; exit 0; }
docker version >/dev/null 2>&1 || {
  say "no Docker engine answers at ${DOCKER_HOST:-the default address}; on a bare machine: harness/images/engine.sh start"
  exit 3
}
[ -z "${WHEELHOUSE:-}" ] || [ -d "$WHEELHOUSE" ] || { say "WHEELHOUSE=$WHEELHOUSE is no directory"; exit 2; }
DOCKER=$(client)
BASE=$(base_image)
make_context
OPTIONS=(--label "narration.faketime=$(fill_faketime)")
version='import sys; print("%d.%d" % sys.version_info[:2])'
base_python=$(docker run --rm --network none --entrypoint python3 "$BASE" -c "$version")
if [ "$base_python" = "$("$PYTHON" -c "$version")" ]; then
  fill_wheelhouse
elif [ -n "${WHEELHOUSE:-}" ]; then
  link_wheelhouse
else
  say "$BASE has Python $base_python, this machine another: pip fetches inside of the build"
  is_online=yes
fi
if [ -z "${is_online:-}" ]; then
  OPTIONS+=(--network=none --build-arg "PIP_OPTIONS=--no-index --find-links=/wheelhouse")
fi
for service in $SERVICES; do
  say "building narration/$service:$TAG on $BASE"
  DOCKER_BUILDKIT=1 "$DOCKER" build --progress="${PROGRESS:-auto}" "${OPTIONS[@]}" \
    --build-arg "BASE_IMAGE=$BASE" --label narration.image=1 \
    --label "narration.identity=$(identity)" --target "$service" \
    --tag "narration/$service:$TAG" --file "$ROOT/harness/Dockerfile" "$CONTEXT"
done
docker image prune --force --filter label=narration.image=1 >/dev/null # what these replaced
docker images --filter label=narration.image=1
