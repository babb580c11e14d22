#!/bin/bash
# Builds the wrapper image without a registry: Debian packages -> base image -> runtime layer.
# Each step is skipped when its inputs have not changed; results are kept in build/.
#
# usage: image/build.sh [IMAGE]          default: $PAGURUS_IMAGE, or pagurus/runtime:dev
#   DEBIAN_MIRROR, DEBIAN_SECURITY_MIRROR   where Debian's packages come from
set -euo pipefail
cd "$(dirname "$0")/.."
image=${1:-${PAGURUS_IMAGE:-pagurus/runtime:dev}}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
security=${DEBIAN_SECURITY_MIRROR:-http://deb.debian.org/debian-security}
# Said aloud, because mmdebstrap finds the key by itself only on Debian.
signed='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
as_root=()
[ "$(id -u)" -eq 0 ] || as_root=(sudo)
mkdir -p build

# step NAME COMMAND...: runs it and prints the time it took; its output is shown when it fails.
step() {
    local name=$1 from=$EPOCHREALTIME
    shift
    printf '%-34s ' "$name"
    # Not "if ! ...": bash ignores set -e inside a condition.
    set +e
    (set -e; "$@") > build/step.log 2>&1
    local status=$?
    set -e
    if [ $status -ne 0 ]; then
        echo
        tail -n 40 build/step.log >&2
        echo "image: step '$name' failed; its output is in build/step.log" >&2
        exit 1
    fi
    awk -v from="$from" -v to="$EPOCHREALTIME" 'BEGIN { printf "%6.1f s\n", to - from }'
}

# Sets $base to the name of the base image; its tag is a hash of all that goes into it.
base_name() {
    base=pagurus/base:$({ cat image/packages image/slim.sh; find image/base -type f -print0 | sort -z | xargs -0 cat
        declare -f build_base; echo "$mirror $security"; } | sha256sum | cut -c1-12)
}

build_base() {
    local packages
    packages=$(sed 's/#.*//; /^[[:space:]]*$/d' image/packages | paste -sd,)
    # Check-Valid-Until: a mirror that lags behind, or a snapshot, is still good enough.
    # shellcheck disable=SC2016 # "$1" is mmdebstrap's, the new root
    "${as_root[@]}" mmdebstrap --variant=minbase --mode=root \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Apt::Install-Recommends "false"' \
        --setup-hook='cp -a image/base/. "$1"/' --include="$packages" --skip=cleanup \
        --customize-hook='chroot "$1" sh < image/slim.sh' \
        trixie build/base.tar \
        "deb $signed $mirror trixie main" "deb $signed $security trixie-security main" "deb $signed $mirror forky main"
    docker import build/base.tar "$base"
    rm -f build/base.tar
}

jar_is_stale() {
    [ ! -e runtime/target/pagurus-runtime.jar ] ||
        [ -n "$(find pom.xml criu-bindings dind runtime -name target -prune -o -type f \
            -newer runtime/target/pagurus-runtime.jar -print -quit)" ]
}

# The last stage of image/Dockerfile, with the stages that it builds on replaced by what was built here.
runtime_dockerfile() {
    sed -n "s|^FROM base AS runtime\$|FROM $base|; /^FROM pagurus/,\$p" image/Dockerfile | sed 's|--from=build /out/||'
}

# What the runtime layer is made of, as one hash; the image carries it as a label.
inputs() {
    { echo "$base"; find image -type f -print0 | sort -z | xargs -0 sha256sum
        sha256sum runtime/target/pagurus-runtime.jar runtime/target/lib/*.jar; } | sha256sum | cut -c1-16
}

build_image() {
    runtime_dockerfile > build/layer/Dockerfile
    # The classic builder needs no plugin and asks no registry about a local base.
    local before
    before=$(docker image inspect --format '{{.Id}}' "$image" 2>/dev/null || true)
    DOCKER_BUILDKIT=0 docker build --quiet --label "io.pagurus.inputs=$(inputs)" --tag "$image" build/layer
    # The one that has just lost its name goes, unless a container still uses it.
    [ -z "$before" ] || docker rmi "$before" || true
}

base_name
if ! docker image inspect "$base" >/dev/null 2>&1; then
    step "base image from Debian packages" build_base
fi
if jar_is_stale; then
    step "runtime jar (Maven)" image/mvn -q -B package -DskipTests -pl runtime -am
    touch runtime/target/pagurus-runtime.jar
fi
if [ "$(docker image inspect --format '{{index .Config.Labels "io.pagurus.inputs"}}' "$image" 2>/dev/null)" != "$(inputs)" ]; then
    step "Java runtime and files" image/with-jdk image/assemble build/layer
    step "wrapper image" build_image
fi
docker image inspect --format '{{.Size}}' "$image" | awk -v image="$image" '{ printf "%s: %.0f MB unpacked\n", image, $1 / 1e6 }'
