#!/bin/bash
# Builds the image of the services that the scenarios move, from Debian packages, and prints the path of its archive. Kept
# under build/ until this recipe changes.
#
# usage: tests-e2e/service-image.sh
set -euo pipefail
cd "$(dirname "$0")/.."
key=$(sha256sum tests-e2e/service-image.sh | cut -c1-12)
archive=$PWD/build/e2e/services-$key.tar
if [ ! -s "$archive" ]; then
    mkdir -p build/e2e
    rm -f build/e2e/services-*
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    packages=redis-server,nginx-light,postgresql,python3,procps
    as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    "${as_root[@]}" mmdebstrap --quiet --variant=minbase --mode=root --keyring="$keyring" --aptopt='Apt::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --include="$packages" \
        trixie - "deb ${DEBIAN_MIRROR:-http://deb.debian.org/debian} trixie main" |
        docker import - pagurus-e2e/services:1 > /dev/null
    docker save --output "$archive.part" pagurus-e2e/services:1
    docker image rm pagurus-e2e/services:1 > /dev/null
    mv "$archive.part" "$archive"
fi
echo "$archive"
