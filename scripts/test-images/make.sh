#!/usr/bin/env bash
# Makes the images that tests start containers from where no registry can be reached, from Debian packages and npm alone.
# Does nothing for images that are there and were made from the same inputs; prints one line per image that it made.
# Needs a Docker engine (engine.sh starts one), Node with npm and, where something has to be made, root on Debian 12.
set -euo pipefail
cd "$(dirname "$0")"

namespace=lockkeeper-test
images=(busybox:1 node:24 ryuk:1 git:12 postgres:15)

# Containers inherit the labels of their image: this one must mean nothing to anybody who removes containers by label.
label=lockkeeper-test.inputs

# The Debian that the tags name.
suite=bookworm

main() {
  docker version >/dev/null 2>&1 || fail "no Docker engine answers; scripts/test-images/engine.sh starts one"

  # Whoever comes second waits here, and then finds everything made.
  exec 9<"$PWD"
  flock 9

  node_version=$(node -p 'require("../../package.json").devDependencies.node')
  find_outdated
  [ ${#outdated[@]} -gt 0 ] || return 0

  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  install_tools >"$work/tools.log" 2>&1 || fail "cannot install what images are made with: $(tail -5 "$work/tools.log")"
  make_outdated
}

fail() {
  echo "make.sh: $*" >&2
  exit 1
}

find_outdated() {
  local image
  outdated=()
  for image in "${images[@]}"; do
    if [ "$(made_from "$image")" != "$(inputs_of "${image%:*}")" ]; then
      outdated+=("$image")
    fi
  done
}

made_from() {
  docker image inspect --format "{{index .Config.Labels \"$label\"}}" "$namespace/$1" 2>/dev/null
}

# What an image is made of, as one hash: its directory, this script, what else goes in, and the image below it.
inputs_of() {
  {
    find "$1" -type f | LC_ALL=C sort | xargs cat make.sh
    case $1 in
      node) echo "$node_version" && inputs_of busybox ;;
      ryuk) inputs_of node ;;
    esac
  } | sha256sum | cut -d ' ' -f 1
}

install_tools() {
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || return
  command -v mmdebstrap >/dev/null || apt-get install -y -qq --no-install-recommends --no-remove mmdebstrap
}

# Three chains at once; within one, an image is made before what stands on it.
make_outdated() {
  local job image
  make_each busybox:1 node:24 ryuk:1 &
  make_each git:12 &
  make_each postgres:15 &
  for job in $(jobs -p); do
    wait "$job" || true
  done
  for image in "${outdated[@]}"; do
    [ -e "$work/${image%:*}.made" ] && continue
    tail -20 "$work/${image%:*}.log" >&2 || true
    fail "$namespace/$image could not be made"
  done
}

make_each() {
  local image
  for image; do
    if [[ " ${outdated[*]} " == *" $image "* ]]; then
      make "$image"
    fi
  done
}

# Runs where `set -e` holds: not in a condition, nor before || or &&.
make() {
  local name=${1%:*} image=$namespace/$1
  cp -R "$name" "$work/$name"
  {
    "prepare_$name"
    build "$name" "$image"
  } >"$work/$name.log" 2>&1
  touch "$work/$name.made"
  echo "made $image in $SECONDS s"
}

# The tag moves when the image is complete. What it named before goes, unless a container still uses it.
build() {
  local name=$1 image=$2 before after
  before=$(docker image inspect --format '{{.Id}}' "$image" 2>/dev/null || true)
  # The classic builder, because Debian has no other.
  DOCKER_BUILDKIT=0 docker build --force-rm --label "$label=$(inputs_of "$name")" --tag "$image" "$work/$name"
  after=$(docker image inspect --format '{{.Id}}' "$image")
  if [ -n "$before" ] && [ "$before" != "$after" ]; then
    docker image rm "$before" || true
  fi
}

# From the package without installing it, which would replace the busybox of this machine.
prepare_busybox() (
  cd "$work"
  apt-get download -qq busybox-static
  dpkg-deb --extract busybox-static_*.deb busybox-static
  install -D busybox-static/bin/busybox busybox/root/bin/busybox
)

# The package with the program alone: `node` downloads it in an install script.
prepare_node() (
  package=node-linux-$(node -p process.arch)
  cd "$work"
  npm pack --loglevel error "$package@$node_version"
  tar --extract --gzip --file "$package-$node_version.tgz" package/bin/node
  install -D package/bin/node node/root/usr/bin/node
  ldd package/bin/node | grep --only-matching '/[^ ]*' | while read -r library; do
    install -D "$(realpath "$library")" "node/root$library"
  done
)

prepare_ryuk() {
  :
}

prepare_git() {
  make_rootfs git ca-certificates,git,openssh-client
}

# No cluster of Debian's own making: the entrypoint makes one per container.
prepare_postgres() {
  make_rootfs postgres postgresql-15,postgresql-client-15 \
    --essential-hook='mkdir -p "$1/etc/postgresql-common"' \
    --essential-hook='echo create_main_cluster=false >"$1/etc/postgresql-common/createcluster.conf"'
}

# A tree of essential packages and these, from the mirrors that this machine uses, without what only people read.
make_rootfs() {
  local name=$1 packages=$2
  shift 2
  apt-get indextargets --format 'deb $(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
    grep -E " $suite(-security|-updates)? main$" >"$work/$name.list"
  mmdebstrap --variant=essential --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/doc/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    "$@" "$suite" "$work/$name/rootfs.tar" "$work/$name.list"
}

main
