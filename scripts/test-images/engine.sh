#!/usr/bin/env bash
# Brings up a Docker engine on a bare Debian 12, installing what is missing; does nothing where one answers.
# For machines without systemd, where the packages start nothing by themselves. The engine stays when the script ends.
set -euo pipefail

log=/var/log/dockerd.log
patience=30
PATH=$PATH:/usr/sbin:/sbin

# A program that must be there, and the Debian package that brings it.
needs=(
  dockerd:docker.io
  docker:docker.io
  docker-init:tini
  iptables:iptables
)

main() {
  answers && return
  [ -z "${DOCKER_HOST-}" ] || fail "no Docker engine answers at $DOCKER_HOST, and one on this machine would not either"
  [ "$(id -u)" = 0 ] || fail "no Docker engine answers, and only root can start one"

  # Whoever comes second waits here, and then finds the engine that the first one started.
  exec 9>/run/lockkeeper-engine.lock
  flock 9
  answers && return

  install_missing
  answers && return
  remove_stale /run/docker.pid dockerd
  remove_stale /run/docker/containerd/containerd.pid containerd
  [ -e /run/docker.pid ] || start
  wait_for_answer
}

fail() {
  echo "engine.sh: $*" >&2
  exit 1
}

answers() {
  timeout 10 docker version >/dev/null 2>&1
}

install_missing() {
  local missing=() need
  for need in "${needs[@]}"; do
    command -v "${need%%:*}" >/dev/null || missing+=("${need##*:}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || fail "cannot read the package lists"
  # Never at the price of a package that is there, such as another distribution of Docker.
  apt-get install -y -qq --no-install-recommends --no-remove "${missing[@]}" >/dev/null || fail "cannot install ${missing[*]}"
}

# A crash leaves pid files, and dockerd does not start over one whose pid somebody else has by now, or a zombie that nobody
# has waited for.
remove_stale() {
  local file=$1 program=$2 pid
  pid=$(cat "$file" 2>/dev/null) || return 0
  is_alive "$pid" "$program" || rm -f "$file"
}

is_alive() {
  [ "$(cat "/proc/$1/comm" 2>/dev/null)" = "$2" ] && ! grep -q '^State:[[:space:]]*[ZX]' "/proc/$1/status"
}

# In a session of its own and without the lock, both of which would end or go with this script.
start() {
  setsid nohup dockerd --shutdown-timeout 5 >>"$log" 2>&1 </dev/null 9>&- &
  started=$!
}

wait_for_answer() {
  local deadline=$((SECONDS + patience))
  until answers; do
    if [ $SECONDS -ge $deadline ] || ! is_running "${started-}"; then
      tail -10 "$log" >&2
      fail "the Docker engine did not come up; its log is $log"
    fi
    sleep 0.1
  done
}

# Nothing is known of an engine that somebody else is starting.
is_running() {
  [ -z "$1" ] || kill -0 "$1" 2>/dev/null
}

main
