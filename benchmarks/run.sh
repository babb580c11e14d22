#!/bin/bash
# Measures migrations; see benchmarks/README.md. "benchmarks/run.sh --help" lists the options.
# Needs the wrapper image (make image). Builds memhog, its image, and, unless only Pagurus is asked for, the image of the peers.
set -euo pipefail
cd "$(dirname "$0")/.."

out=benchmarks/target/memhog
peers_image=pagurus/bench-peers

image=${PAGURUS_IMAGE:-pagurus/runtime:dev}

# jar ARGUMENTS...: the program that measures.
jar() {
    image/mvn -q -B -ntp package -DskipTests -pl benchmarks
    exec image/with-jdk java -Djava.awt.headless=true -jar benchmarks/target/pagurus-benchmarks.jar "$@"
}
case " $* " in *" --plan "* | *" --show "* | *" --show="* | *" --help "*) jar "$@" ;; esac

docker image inspect "$image" >/dev/null 2>&1 || {
    echo "benchmarks: there is no image $image here: 'make image' builds it." >&2
    exit 1
}

mkdir -p "$out/rootfs"
if [ ! -e "$out/memhog.tar" ] || [ -n "$(find benchmarks/memhog -name '*.c' -newer "$out/memhog.tar")" ]; then
    for program in memhog yardstick; do
        image/with-jdk gcc -O2 -static -Wall -Wextra -Werror -o "$out/rootfs/$program" "benchmarks/memhog/$program.c"
    done
    tar --create --directory "$out/rootfs" --owner 0 --group 0 memhog yardstick |
        docker import --change 'ENTRYPOINT ["/memhog"]' - memhog >/dev/null
    docker save --output "$out/memhog.tar" memhog
    docker rmi memhog >/dev/null
fi

# The peers' packages, at the same versions as in the wrapper image: its preferences name what comes from forky.
packages=docker.io,docker-cli,containerd,runc,criu,podman,iptables,nftables,iproute2,procps,tini,tar,netcat-openbsd,ca-certificates
build_peers() {
    local mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian} tag=$1 as_root=()
    local signed='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    echo "benchmarks: building the peers' image from Debian packages (about a minute, once)" >&2
    # shellcheck disable=SC2016 # "$1" is mmdebstrap's, the new root
    "${as_root[@]}" mmdebstrap --quiet --variant=minbase --mode=root \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Apt::Install-Recommends "false"' \
        --setup-hook='cp -a image/base/. "$1"/' --include="$packages" \
        trixie benchmarks/target/peers.tar "deb $signed $mirror trixie main" "deb $signed $mirror forky main"
    docker import --change 'ENTRYPOINT ["/usr/bin/tini", "--", "/peers/outer.sh"]' --change 'VOLUME ["/var/lib/docker"]' \
        benchmarks/target/peers.tar "$peers_image:$tag" >/dev/null
    rm -f benchmarks/target/peers.tar
}
# Who asks for Pagurus alone needs none of them.
peers=$(sed -nE 's/.* --peers[= ]([^ ]+) .*/\1/p' <<< " $* ")
if [ -z "$peers" ] || tr ',' '\n' <<< "$peers" | grep -qv '^pagurus'; then
    tag=$({ echo "$packages"; cat image/base/etc/apt/preferences.d/forky; declare -f build_peers; } | sha256sum | cut -c1-12)
    docker image inspect "$peers_image:$tag" >/dev/null 2>&1 || build_peers "$tag"
    docker tag "$peers_image:$tag" "$peers_image:dev"
fi

jar "$@"
